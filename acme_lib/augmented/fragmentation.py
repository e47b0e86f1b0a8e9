"""Division: individuals of a size become daughters, who share out the parent's contents."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from acme_lib.augmented.axes import Continuum, Discrete
from acme_lib.augmented.contents import add_shared
from acme_lib.augmented.daughters import fragment_matrix, power_law_shares
from acme_lib.augmented.process import Process, find_continuum
from acme_lib.errors import ParameterError, StateSpaceError
from acme_lib.processes import PowerLawKernel
from acme_lib.processes.division import Share, check_partition, check_partition_words, check_share


@dataclass(frozen=True)
class Fragmentation(Process):
    """Division: at `rate`, an individual of size y becomes daughters whose sizes sum to y.

    Attributes
    ----------
    size : str
        The continuum axis that is the size; its grid starts at 0.
    rate : str or float
        B, divisions per unit of time, of the parent's state.
    kernel : {"equal", "uniform"}, FixedFraction, BetaFraction, PowerLawKernel, SelfSimilarKernel or ArbitraryKernel
        The sizes of daughters; with a power law (``"uniform"``) the cost is one pass over the cells.
    partition : mapping of str to str, or str
        What daughters of fraction u get of the parent's other contents, by axis: of a count ``"binomial"`` (each
        molecule with probability u; the default), ``"equal"``, ``"copied"`` (a gene) or ``"reset"``; of a continuum
        species ``"proportional"`` (the fraction u; the default), ``"equal"``, ``"copied"`` (a concentration) or
        ``"reset"``; of abstract states ``"copied"``. One word for all axes, or a word a name.
    states : tuple of str, optional
        Abstract states in which it happens; by default all that are not frozen.

    Notes
    -----
    The volume is kept to rounding, and the number of individuals and their density are of second order in the width of
    the cells, where B(x) p(x) falls to zero with the size x. Otherwise (a rate that does not depend on the size, and
    no growth) the number is of first order: individuals in the first cell do not divide further. The first cell's own
    density is of second order if B falls as x² or faster; with B = 5 x it is 0.8 % short at cells of 0.0125, where the
    number is 0.1 % short. `estimate_grid_error` says how far a number is to be believed.
    """

    size: str
    rate: str | float
    kernel: str | Share = "equal"
    partition: Mapping[str, str] | str = field(default_factory=dict)
    states: tuple[str, ...] | str | None = None

    def __post_init__(self):
        """Check the values, and keep the kernel as its class."""
        super().__post_init__()
        object.__setattr__(self, "kernel", check_share(self.kernel, "kernel"))
        partition = check_partition_words(self.partition)
        object.__setattr__(self, "partition", MappingProxyType(partition) if isinstance(partition, dict) else partition)

    def enter(self, entries, rates):
        """Add a running sum for power laws, else a matrix of daughters; with contents, one over all axes."""
        space, name = entries.space, self.size
        axis, a = find_continuum(space, name, self)
        if axis.lower != 0.0:
            raise StateSpaceError(f"sizes are divided: the grid of {name} must start at 0, not at {axis.lower:g}")
        rate = np.broadcast_to(rates.acting(), space.shape)
        entries.exits += rate
        shared = {key: how for key, how in self._partition(space).items() if how != "copied"}
        if shared:
            add_shared(entries, self.kernel, name, rate, shared, rates.parameters)
            return
        index, flow, gain = (np.moveaxis(array, a, -1) for array in (entries.index, rate, entries.gain[0]))
        if isinstance(self.kernel, PowerLawKernel):
            _add_running_sum(entries, a, self.kernel.exponent, index, flow, gain)
            return
        matrix = fragment_matrix(self.kernel, axis.cells, axis.dx * axis.system_size, rates.parameters)
        to, start = np.nonzero(matrix)
        entries.add(index[..., to], index[..., start], matrix[to, start] * flow[..., start])
        entries.add(index, index, -flow)
        gain += (matrix.sum(axis=0) - 1.0) * flow

    def _partition(self, space):
        """Return what daughters get along each axis but that of sizes."""
        if isinstance(self.partition, Mapping) and self.size in self.partition:
            raise ParameterError(f"{self.size} is the size itself; partition names other axes")
        kinds = {}
        for key in space.names:
            axis = space[key]
            kinds[key] = (
                "continuous" if isinstance(axis, Continuum) else "count" if isinstance(axis, Discrete) else "state"
            )
        del kinds[self.size]
        return check_partition(self.partition, kinds)


def _add_running_sum(entries, a, m, index, flow, gain):
    """Add daughters of density (m + 2) u^m: from all larger cells by a running sum from above; see `daughters`."""
    cells = flow.shape[-1]
    x = np.arange(cells) + 0.5  # in cells: the kernel has no scale
    inside, own, excess = power_law_shares(m, cells)
    weight = (m + 2.0) * x ** -(m + 1.0)
    weight[0] = 0.0  # a parent in the first cell stays as she is
    gone = (x > 1.0) * 1.0
    sums = np.moveaxis(entries.new_unknowns(a, False), a, -1)
    entries.add(sums, index, weight * flow)
    entries.add(sums[..., :-1], sums[..., 1:], 1.0)
    entries.add(index[..., :-1], sums[..., 1:], inside[:-1])
    entries.add(index, index, ((own - excess) * weight - gone) * flow)
    entries.add(index[..., :-1], index[..., 1:], (excess * weight * flow)[..., 1:])
    made = (np.cumsum(np.concatenate([[0.0], inside[:-1]])) + own) * weight
    gain += (made - gone) * flow
