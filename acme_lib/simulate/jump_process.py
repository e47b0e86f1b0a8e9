"""A network split into a flow and jumps, with its bursts and divisions: what paths and populations share."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numba import njit

from acme_lib.checks import check_number, check_rng, check_times, check_whole, expected
from acme_lib.errors import NetworkSyntaxError, ParameterError, PropensityError
from acme_lib.network import Reaction, ReactionNetwork
from acme_lib.network.expression import Expression, suggest
from acme_lib.network.status import BAD_PROPENSITY, DONE, EVENT_LIMIT, STOPPED
from acme_lib.network.text import located
from acme_lib.processes.burst_sizes import check_drawn_size, draw_size
from acme_lib.processes.division import Hazard, check_division, check_drawn_share, check_partition
from acme_lib.random_stream import draw_key
from acme_lib.simulate.conditions import parse_stop
from acme_lib.simulate.daughters import partition_codes
from acme_lib.simulate.flow import Flow
from acme_lib.simulate.steps import change_state
from acme_lib.simulate.task import Task, check_parameters

# What an event does.
REACTION, BURST, DIVISION, GROWTH, DEATH = range(5)


class Jumps(NamedTuple):
    """What jumps do, as kernels read it.

    Attributes
    ----------
    flow : Flow
        What happens between them, and when they happen.
    role : ndarray of int64, shape (reaction,)
    law : ndarray, shape (reaction, 3)
        Of the size of a burst, or of the share of a daughter: a code and two numbers.
    partition : ndarray of int64, shape (species,)
        What daughters get.
    """

    flow: Flow
    role: np.ndarray
    law: np.ndarray
    partition: np.ndarray


@dataclass(frozen=True)
class JumpProcess:
    """A network split into a flow and jumps.

    Attributes
    ----------
    network : ReactionNetwork
        With divisions, growth and death as further reactions, which change nothing by themselves.
    continuous : ndarray of bool, shape (species,)
    drift, jumps : ndarray of int64
        Reactions of each kind.
    role, law, partition : ndarray
        See `Jumps`.
    stop : Expression or None
    tolerance : float
    """

    network: ReactionNetwork
    continuous: np.ndarray
    drift: np.ndarray
    jumps: np.ndarray
    role: np.ndarray
    law: np.ndarray
    partition: np.ndarray
    stop: Expression | None
    tolerance: float

    @classmethod
    def build(
        cls, who, network, continuous, *, bursts=None, division=None, growth=None, death=None, stop=None, tolerance
    ):
        """Check what a caller of the simulator `who` gave, and split the network."""
        if not isinstance(network, ReactionNetwork):
            raise expected("network", "a ReactionNetwork", network, "see ReactionNetwork.parse")
        network.refuse_events("a jump-drift process")
        names = (continuous,) if isinstance(continuous, str) else tuple(continuous)
        for name in names:
            if name not in network.species:
                raise ParameterError(
                    f"{name!r} is not a species of the network{suggest(str(name), network.species)}; continuous lists "
                    f"some of {', '.join(network.species)}"
                )
        flows = np.isin(network.species, names)
        tolerance = check_number("tolerance", tolerance, least=1e-13, most=1e-2)
        sizes = _burst_laws(who, network, bursts, flows)
        drift, jumps = [], []
        for j, change in enumerate(network.stoichiometry):
            only_flow = np.all(flows[change != 0])
            (drift if only_flow and j not in sizes else jumps).append(j)
        n = len(network.reactions)
        law = np.zeros((n + 3, 3))
        role = np.zeros(n + 3, dtype=np.int64)
        for j, values in sizes.items():
            role[j], law[j] = BURST, values
        partition = np.zeros(len(flows), dtype=np.int64)
        if division is not None:
            check_division(division, (Hazard,), who)
            law[n] = check_drawn_share(division.share, who)
            kinds = {name: "continuous" if flow else "count" for name, flow in zip(network.species, flows, strict=True)}
            partition = partition_codes(check_partition(division.partition, kinds), kinds)
        added = []
        for what, kind, rate in (
            ("division", DIVISION, division and division.rate),
            ("growth", GROWTH, growth),
            ("death", DEATH, death),
        ):
            if rate is not None:
                role[n + len(added)] = kind
                added.append(_channel(network, what, rate))
        condition = None if stop is None else parse_stop(network, stop)
        given = {name: network.parameters[name] for name in network.given_parameters}
        whole = network
        if added:
            whole = ReactionNetwork.build(
                network.species, (*network.reactions, *added), network.definitions, given, (), network.functions
            )
            jumps += range(n, n + len(added))
        drift, jumps = np.array(drift, dtype=np.int64), np.array(jumps, dtype=np.int64)
        return cls(whole, flows, drift, jumps, role, law, partition, condition, tolerance)

    def task(self, run_range, x0, t, *, size, rng, parameters=None):
        """Lay a simulation out as a `Task`; draws the key from `rng`."""
        check_rng(rng)
        size = check_whole("size", size, 1)
        times = check_times(t)
        starts = _check_real_starts(self.network, x0, size, self.continuous)
        key = draw_key(rng)
        rows = check_parameters(self.network, parameters, size, rng)
        return Task(self.network, run_range, starts, times, size, key, rows, {"process": self})

    def arrays(self):
        """Return the `Jumps` that kernels take, with fresh and contiguous arrays."""
        codes, operands = np.zeros(0, dtype=np.int64), np.zeros(0)
        if self.stop is not None:
            codes, operands = self.stop.program(self.network.species, list(self.network.parameters))
        uses_time = self.network.uses_time or (self.stop is not None and self.stop.uses_time)
        # without a flow the hazard stands still between jumps, and nothing is to be integrated
        is_still = len(self.drift) == 0 and not uses_time
        flow = Flow(self.drift.copy(), self.jumps.copy(), codes, operands, self.tolerance, is_still)
        return Jumps(flow, self.role.copy(), self.law.copy(), self.partition.copy())

    def check(self, task, outcome):
        """Raise what a kernel reports; see `Task.check`."""
        status, path, j, value, x = outcome
        if status in (DONE, STOPPED):
            return
        at = ", ".join(f"{name}={v:.6g}" for name, v in zip(self.network.species, x, strict=False))
        if status == EVENT_LIMIT:
            raise PropensityError(
                f"path {path} needs more than max_events={task.options['max_events']} events; it stood at t={value:g} "
                f"with {at}. Do its rates grow without bound? Otherwise ask for a shorter time or raise max_events"
            )
        reaction = self.network.reactions[j]
        if status == BAD_PROPENSITY:
            what = "negative" if value < 0 else "not finite"
            kind = "rate of jumps" if j in self.jumps else "drift"
            message = f"the {kind} is {what} ({value:g}) at {at}; a rate of jumps is zero or more in every state"
        else:
            message = f"a jump leads below zero, to {at}; multiply the rate by what it takes, or write '->'"
        raise located(PropensityError(message), reaction.line, reaction.text)


def _burst_laws(who, network, bursts, flows):
    """Return the law of the size by reaction."""
    if bursts is None:
        return {}
    if not isinstance(bursts, Mapping):
        raise expected("bursts", "a mapping of reactions to sizes", bursts, 'write {"0 => P": ExponentialJump(0.2)}')
    equations = ["".join(reaction.equation.split()) for reaction in network.reactions]
    found = {}
    for text, size in bursts.items():
        here = [j for j, equation in enumerate(equations) if equation == "".join(str(text).split())]
        if not here:
            known = ", ".join(repr(reaction.equation) for reaction in network.reactions)
            raise ParameterError(f"bursts names {text!r}, which is no reaction of the network; it has {known}")
        law = check_drawn_size(size, who)
        for j in here:
            found[j] = law
            for i in np.flatnonzero((network.stoichiometry[j] != 0) & ~flows):
                raise ParameterError(
                    f"bursts names {text!r}, which changes the count of {network.species[i]}, and a size is a real "
                    f"number: list {network.species[i]} in continuous"
                )
    return found


def _channel(network, what, rate):
    """Return a reaction that changes nothing, whose rate is that of a division, growth or death."""
    try:
        expression = Expression.parse(str(rate), network.functions)
    except NetworkSyntaxError as error:
        raise NetworkSyntaxError(f"{what}={rate!r}: {error}") from None
    known = [*network.species, *network.parameters, *network.observables]
    for name in expression.names:
        if name not in known:
            raise ParameterError(
                f"{what}={rate!r}: {name!r} is neither a species, a parameter nor an observable of the network"
                f"{suggest(name, known)}; it has {', '.join(known)}"
            )
    empty = MappingProxyType({})
    return Reaction(empty, empty, expression.substitute(network.observables), False, 0, f"{what}={rate!r}")


def _check_real_starts(network, x0, size, continuous):
    """Return starts as floats, one row for all or one for each; those of discrete species are counts."""
    if isinstance(x0, Mapping):
        for name in x0:
            if name not in network.species:
                near, known = suggest(str(name), network.species), ", ".join(network.species)
                raise ParameterError(f"{name!r} is not a species of the network{near}; it has {known}")
        columns = [np.asarray(x0.get(name, 0.0)) for name in network.species]
        if any(column.shape not in ((), (size,)) for column in columns):
            raise ParameterError(f"x0 gives one number a species, or one for each of {size} paths")
        rows = np.stack([np.broadcast_to(c, (size,) if any(d.ndim for d in columns) else (1,)) for c in columns], 1)
    else:
        rows = np.atleast_2d(np.asarray(x0))
        if rows.ndim != 2 or rows.shape[1] != len(network.species) or len(rows) not in (1, size):
            raise ParameterError(
                f"x0 has shape {np.shape(x0)}; give ({len(network.species)},) or ({size}, {len(network.species)}) for "
                f"{', '.join(network.species)}"
            )
    if rows.dtype.kind not in "iuf" or not np.all(np.isfinite(rows)) or np.any(rows < 0):
        raise expected("x0", "finite numbers of zero or more", x0)
    rows = np.ascontiguousarray(rows, dtype=float)
    if np.any(rows[:, ~continuous] != np.floor(rows[:, ~continuous])):
        raise expected("x0", "whole numbers for discrete species", x0)
    return rows


@njit(cache=True, nogil=True, error_model="numpy")
def jump(x, j, jumps, rates, stream):
    """Change the state by reaction `j`; a burst multiplies the change by a random size."""
    size = 1.0
    if jumps.role[j] == BURST:
        size, stream = draw_size(jumps.law[j], stream)
    change_state(j, size, x, rates)
    return stream
