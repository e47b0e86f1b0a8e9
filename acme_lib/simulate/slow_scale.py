"""Separation of time scales: fast species are averaged, slow reactions are simulated."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from acme_lib.checks import check_whole, expected
from acme_lib.errors import ParameterError, PropensityError
from acme_lib.network.expression import MAX_STACK, suggest
from acme_lib.network.rates import count_few, propensity, special_propensity, with_row
from acme_lib.network.status import BAD_PROPENSITY, DONE, EVENT_LIMIT, NEGATIVE_COUNT, NO_LAW, STOPPED
from acme_lib.network.text import located
from acme_lib.random_stream import next_exponential, next_poisson, next_uniform, start_stream
from acme_lib.simulate.run import run_task
from acme_lib.simulate.steps import choose_share, is_rate, must_stop
from acme_lib.simulate.task import Part, make_task, refuse_time

_CHECK_EVERY = 4096  # events between two looks at the stop flag


def simulate_slow_scale(
    network,
    x0,
    t,
    *,
    fast,
    slow=(),
    size=1,
    rng,
    parameters=None,
    keep="counts",
    threads=None,
    client=None,
    progress=None,
    max_events=1_000_000_000,
):
    r"""Simulate an ensemble with fast species averaged: the slow-scale SSA [1]_.

    Between two slow events the fast species are taken to be in the stationary law that they would reach if the slow
    species stood still. A slow reaction then has the averaged propensity

    .. math:: \bar a_j(y) = \sum_z a_j(y, z)\, p_\infty(z \mid y),

    with slow species :math:`y` and fast species :math:`z`, and only slow reactions cost time. The fast reactions must
    be conversions of single molecules (``A -> B``, ``A -> 0``, ``0 -> A``; slow species may set their rates). Their
    stationary law is known exactly: molecules that are only converted keep their number and are multinomial, molecules
    that come and go are Poisson; so the averages of mass-action propensities of any order are known too. The state of
    the fast species at a recorded time is drawn from that law.

    Use when some reactions fire thousands of times between two events that matter, such as a promoter that switches
    much faster than it transcribes, or ligands that bind and unbind. Fluctuations of the fast species that the slow
    reactions would have felt are left out: the error is of first order in the ratio of the time scales, which comes
    with the result. `compare_with_exact` shows it in means, Fano factors and distributions.

    Parameters
    ----------
    network, x0, t, size, rng, parameters, keep, threads, client, progress
        As in `simulate_ssa`. The counts at time 0 are `x0` itself.
    fast : sequence of str
        The fast species. A reaction that changes fast species only is a fast reaction,
    slow : sequence of str
        except those listed here, such as ``["B -> 0"]`` for a slow decay of a fast species.
    max_events : int
        A trajectory that needs more slow events is an error.

    Returns
    -------
    Ensemble or EnsembleSummary
        ``ensemble.events`` counts the slow events. ``ensemble.extra["time_scale_ratio"]``, shape (trajectory,), is the
        error measure: the rate of the slow reactions that feel or disturb the fast species (whose propensity depends
        on one, or which change one or a rate of theirs), over the slowest relaxation rate of the fast species; the
        largest over the recorded times. The method is meant for values far below 1. A run looks reasonable whatever
        the value is: look at it.

    Raises
    ------
    ParameterError
        If the fast reactions are not conversions of single molecules, or an argument has the wrong shape or type.
    PropensityError
        As `simulate_ssa`; and if the fast species have no unique stationary law in some state.

    References
    ----------
    .. [1] Y. Cao, D. T. Gillespie, L. R. Petzold, J. Chem. Phys. 122, 014116 (2005). doi:10.1063/1.1824902

    Examples
    --------
    >>> import numpy as np
    >>> import acme_lib as acme
    >>> text = "Off <-> On : k_on, k_off\nOn -> On + M : s\nM -> 0 : g"
    >>> network = acme.ReactionNetwork.parse(text, k_on=2000, k_off=2000, s=20, g=1)
    >>> rng = np.random.default_rng(1)
    >>> ensemble = acme.simulate_slow_scale(network, {"Off": 1}, 10, fast=["Off", "On"], size=100, rng=rng)
    >>> print(f"{ensemble.extra['time_scale_ratio'].max():.4f}")
    0.0025
    """
    max_events = check_whole("max_events", max_events, 1)
    task = make_task(_run_range, network, x0, t, size=size, rng=rng, parameters=parameters)
    refuse_time(network, "averaging of fast species")
    task.options.update(split=split_scales(network, fast, slow), max_events=max_events)
    return run_task(task, keep=keep, threads=threads, client=client, progress=progress)


@dataclass(frozen=True)
class _Split:
    """A network split into fast conversions and slow reactions, as arrays.

    Attributes
    ----------
    fast : ndarray, shape (F,)
        The fast species.
    conversions : ndarray, shape (n, 3)
        Reaction, and the position among the fast species from which and to which it takes a molecule; -1 is outside.
    component : ndarray, shape (F,)
        Which fast species are converted into each other.
    closed : ndarray of bool, shape (components,)
        Whether no fast reaction makes or removes molecules of the component: their number is kept.
    slow : ndarray, shape (m,)
        The slow reactions.
    gain : ndarray, shape (m, components)
        Molecules that a slow reaction adds to each closed component.
    takes : ndarray, shape (m, F)
        Fast molecules in the mass action of each slow reaction.
    moves_rates, concerns : ndarray of bool, shape (m,)
        Whether a slow reaction changes a species that sets fast rates; whether it feels or disturbs the fast species.
    """

    fast: np.ndarray
    conversions: np.ndarray
    component: np.ndarray
    closed: np.ndarray
    slow: np.ndarray
    gain: np.ndarray
    takes: np.ndarray
    moves_rates: np.ndarray
    concerns: np.ndarray

    @property
    def arrays(self):
        """All arrays in the order in which the kernel takes them."""
        return tuple(vars(self).values())


def split_scales(network, fast, slow):
    """Split a network into fast conversions and slow reactions; see `simulate_slow_scale`."""
    names = (fast,) if isinstance(fast, str) else tuple(fast)
    for name in names:
        if name not in network.species:
            raise ParameterError(
                f"{name!r} is not a species of the network{suggest(str(name), network.species)}; "
                f"fast lists some of {', '.join(network.species)}"
            )
    if not names or len(set(names)) < len(names):
        raise expected("fast", "one species or more, each once", fast)
    equations = [reaction.equation for reaction in network.reactions]
    kept_slow = {_normal(text) for text in ((slow,) if isinstance(slow, str) else slow)}
    unknown = kept_slow - {_normal(equation) for equation in equations}
    if unknown:
        raise expected("slow", f"equations of reactions, such as {equations}", sorted(unknown))
    position = {network.species.index(name): f for f, name in enumerate(names)}
    changes = network.stoichiometry
    of_fast = np.array(list(position))
    conversions, slow_reactions = [], []
    for j, reaction in enumerate(network.reactions):
        changed = set(np.flatnonzero(changes[j]))
        if changed <= set(position) and _normal(reaction.equation) not in kept_slow:
            conversions.append((j, *_conversion(network, reaction, changes[j], position)))
        else:
            _check_slow(network, reaction, names)
            slow_reactions.append(j)
    if not conversions:
        raise ParameterError(f"no reaction changes only the fast species {', '.join(names)}; which should be fast?")
    component, closed = _components(len(names), conversions)
    slow_reactions = np.array(slow_reactions, dtype=np.int64)
    takes = network.reactant_counts[np.ix_(slow_reactions, of_fast)]
    takes = takes * np.array([network.reactions[j].mass_action for j in slow_reactions], dtype=np.int64)[:, None]
    gain = np.zeros((len(slow_reactions), len(closed)), dtype=np.int64)
    for f, c in enumerate(component):
        gain[:, c] += changes[slow_reactions, of_fast[f]]
    gain[:, ~closed] = 0
    read = _species_read(network, [j for j, _, _ in conversions]) - set(position)
    moves = (changes[np.ix_(slow_reactions, sorted(read))] != 0).any(axis=1)
    concerns = moves | (takes > 0).any(axis=1) | (gain != 0).any(axis=1)
    table = np.array(conversions, dtype=np.int64)
    return _Split(of_fast, table, component, closed, slow_reactions, gain, takes, moves, concerns)


def _normal(equation):
    return "".join(equation.split())


def _species_read(network, reactions):
    """Return the species on which the propensities of some reactions depend, by index."""
    names = set()
    for j in reactions:
        reaction = network.reactions[j]
        names |= set(reaction.reactants) if reaction.mass_action else set(reaction.rate.names)
    return {i for i, name in enumerate(network.species) if name in names}


def _conversion(network, reaction, change, position):
    """Return the fast species from which and to which a fast reaction takes one molecule; -1 is outside."""
    lost = [i for i in np.flatnonzero(change < 0)]
    given = [i for i in np.flatnonzero(change > 0)]
    fast_names = [network.species[i] for i in position]
    reads = [
        name for name in (reaction.reactants if reaction.mass_action else reaction.rate.names) if name in fast_names
    ]
    taken = [network.species[i] for i in lost]
    fits = (
        len(lost) <= 1
        and len(given) <= 1
        and np.abs(change).max() == 1
        and reads == (taken if reaction.mass_action else [])
        and (reaction.mass_action or not taken)
        and all(reaction.reactants[name] == 1 for name in reads)
    )
    if not fits:
        raise located(
            ParameterError(
                "a fast reaction converts, makes or removes one molecule of a fast species, by mass action in that "
                "species alone: 'A -> B', 'A -> 0', '0 -> A'; change fast, or list the reaction in slow"
            ),
            reaction.line,
            reaction.text,
        )
    return position[lost[0]] if lost else -1, position[given[0]] if given else -1


def _check_slow(network, reaction, fast):
    if reaction.mass_action:
        return
    if any(name in fast for name in (*reaction.rate.names, *reaction.reactants)):
        raise located(
            ParameterError(
                "the average of this rate over the fast species is not known: a slow reaction that depends on a fast "
                "species or takes one must be mass action, written '->'"
            ),
            reaction.line,
            reaction.text,
        )


def _components(n, conversions):
    """Return the component of each fast species, and whether each component is closed."""
    component = np.arange(n)
    for _, i, k in conversions:
        if i >= 0 and k >= 0:
            component[component == component[i]] = component[k]
    _, component = np.unique(component, return_inverse=True)
    closed = np.ones(component.max() + 1, dtype=bool)
    for _, i, k in conversions:
        if i < 0 or k < 0:
            closed[component[max(i, k)]] = False
    return component.astype(np.int64), closed


def _run_range(task, low, high, stop):
    n_times = len(task.times)
    counts = np.empty((high - low, n_times, len(task.network.species)), dtype=np.int64)
    events = np.zeros(high - low, dtype=np.int64)
    activity = np.zeros((high - low, n_times))
    split, limit = task.options["split"], task.options["max_events"]
    arrays = tuple(array.copy() for array in split.arrays)
    starts, times, table, scale, values, key = task.arguments_of(low, high)
    outcome = _slow_scale(low, starts, times, table, scale, values, key, arrays, limit, counts, events, activity, stop)
    status, trajectory, _, now, x = outcome
    if status == NO_LAW:
        at = ", ".join(f"{name}={n:.0f}" for name, n in zip(task.network.species, x, strict=False))
        fast = ", ".join(task.network.species[i] for i in split.fast)
        raise PropensityError(
            f"the fast species {fast} have no unique stationary law where trajectory {trajectory} stood at t={now:g} "
            f"({at}): their molecules must be able to leave every state, or be converted back"
        )
    task.check(outcome)
    relaxation = _relaxation(split, task.network, counts, table, scale, values)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(activity > 0.0, activity / relaxation, 0.0)
    return Part(low, high, counts, events, {"time_scale_ratio": ratio.max(axis=1)})


def _relaxation(split, network, counts, table, scale, values):
    """Return the slowest relaxation rate of the fast species in recorded states, shape (trajectory, time)."""
    read = sorted(_species_read(network, split.conversions[:, 0]) - set(split.fast))
    states = counts[:, :, read].reshape(counts.shape[0] * counts.shape[1], len(read))
    rows = np.repeat(np.arange(len(counts)) if len(scale) > 1 else np.zeros(len(counts), dtype=int), counts.shape[1])
    keys, place = np.unique(np.column_stack([rows, states]), axis=0, return_inverse=True)
    n = len(split.fast)
    x, matrix, inflow, stack = np.ones(counts.shape[2] + 1), np.empty((n, n)), np.empty(n), np.empty(MAX_STACK)
    found = np.empty(len(keys))
    for k, (row, *state) in enumerate(keys):
        x[:-1] = 0.0
        x[read] = state
        of_row = table._replace(scale=scale[row], parameters=values[row])
        _fill_matrix(x, of_row, split.fast, split.conversions, matrix, inflow, stack)
        rates = np.sort(np.abs(np.linalg.eigvals(matrix).real))
        found[k] = rates[split.closed.sum() :].min(initial=np.inf)  # each kept number of molecules has a rate 0
    return found[place.ravel()].reshape(counts.shape[:2])


@njit(cache=True, nogil=True, error_model="numpy")
def _slow_scale(
    low, starts, times, table, scale_rows, value_rows, key, split, max_events, counts, events, activity, stop
):
    """Simulate the trajectories low, low + 1, …; fills `counts`, `events` and `activity`, returns an outcome."""
    special, first, second, shift = table.special, table.first, table.second, table.shift
    change_start, change_species, change_count = table.change_start, table.change_species, table.change_count
    fast, conversions, component, closed, slow, gain, takes, moves_rates, concerns = split
    n_species = starts.shape[1]
    n_times = times.shape[0]
    n_slow = slow.shape[0]
    n_fast = fast.shape[0]
    is_fast = np.zeros(n_species, dtype=np.bool_)
    for f in range(n_fast):
        is_fast[fast[f]] = True
    x = np.ones(n_species + 1)  # of the fast species it holds what a propensity is to be evaluated at
    a = np.empty(n_slow)
    kept = np.empty(closed.shape[0])  # molecules of each closed component
    law = np.empty(n_fast)  # shares of a closed component, or Poisson means
    matrix = np.empty((n_fast, n_fast))
    stack = np.empty(MAX_STACK)
    for row in range(counts.shape[0]):
        trajectory = low + row
        stream = start_stream(key, trajectory)
        if row == 0 or scale_rows.shape[0] > 1:
            scale = scale_rows[row]
            rates = with_row(table, scale, value_rows[row])
        kept[:] = 0.0
        for i in range(n_species):
            x[i] = starts[row, i]
            if times[0] == 0.0:
                counts[row, 0, i] = starts[row, i]
        for f in range(n_fast):
            kept[component[f]] += x[fast[f]]
        now = 0.0
        new_law = True
        fired = 0
        recorded = 0
        while True:
            if new_law:
                bad = _fill_matrix(x, rates, fast, conversions, matrix, law, stack)
                if bad >= 0:
                    return BAD_PROPENSITY, trajectory, bad, propensity(bad, x, now, rates, stack), x
                if not _solve_law(matrix, law, component, closed):
                    return NO_LAW, trajectory, 0, now, x
            total = 0.0
            concerned = 0.0
            for s in range(n_slow):
                j = slow[s]
                a[s] = _average_of_sets(takes[s], component, closed, kept, law)
                if a[s] > 0.0:
                    for f in range(n_fast):  # with just the fast molecules that it takes, there is one set of them
                        x[fast[f]] = takes[s, f]
                    if special[j]:
                        a[s] *= special_propensity(j, x, now, rates, stack)
                    else:
                        a[s] *= count_few(j, x, scale, first, second, shift)
                if not is_rate(a[s]):
                    return BAD_PROPENSITY, trajectory, j, a[s], x
                total += a[s]
                if concerns[s]:
                    concerned += a[s]
            if recorded == 0 and times[0] == 0.0:
                activity[row, 0] = concerned
                recorded = 1
            waiting, stream = next_exponential(stream)
            now += waiting / total  # infinite when nothing slow can happen any more
            while recorded < n_times and times[recorded] < now:
                activity[row, recorded] = concerned
                for i in range(n_species):
                    if not is_fast[i]:
                        counts[row, recorded, i] = np.int64(x[i])
                stream = _draw_fast(fast, component, closed, kept, law, counts[row, recorded], stream)
                recorded += 1
            if recorded == n_times:
                break
            u, stream = next_uniform(stream)
            chosen = choose_share(u * total, a)
            j = slow[chosen]
            for i in range(change_start[j], change_start[j + 1]):
                if not is_fast[change_species[i]]:
                    x[change_species[i]] += change_count[i]
                    if x[change_species[i]] < 0.0:
                        x[change_species[i]] -= change_count[i]
                        return NEGATIVE_COUNT, trajectory, j, now, x
            for c in range(kept.shape[0]):
                kept[c] += gain[chosen, c]
            new_law = moves_rates[chosen]
            fired += 1
            if fired % _CHECK_EVERY == 0 and must_stop(stop, row, fired, now, times[n_times - 1]):
                return STOPPED, trajectory, 0, now, x
            if fired > max_events:
                return EVENT_LIMIT, trajectory, 0, now, x
        events[row] = fired
    return DONE, 0, 0, 0.0, x


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_matrix(x, rates, fast, conversions, matrix, inflow, stack):
    """Fill the linear equations d<z>/dt = matrix z + inflow of the fast species; returns a bad reaction or -1.

    The rate of a conversion is its propensity at one molecule.
    """
    matrix[:, :] = 0.0
    inflow[:] = 0.0
    for c in range(conversions.shape[0]):
        j, i, k = conversions[c]
        if i >= 0:
            x[fast[i]] = 1.0
        rate = propensity(j, x, 0.0, rates, stack)
        if not is_rate(rate):
            return j
        if i >= 0:
            matrix[i, i] -= rate
            if k >= 0:
                matrix[k, i] += rate
        else:
            inflow[k] += rate
    return -1


@njit(cache=True, nogil=True, error_model="numpy")
def _solve_law(matrix, law, component, closed):
    """Turn `law` from the inflow into shares (closed components) and means (others); False if they are not unique.

    Gaussian elimination with pivots in columns; `matrix` is used up.
    """
    n = law.shape[0]
    size = np.abs(matrix).max()
    for f in range(n):
        law[f] = -law[f]
    for c in range(closed.shape[0]):
        if closed[c]:  # one balance equation follows from the others: the shares add up to 1 instead
            first = -1
            for f in range(n):
                if component[f] == c:
                    if first < 0:
                        first = f
                        matrix[f, :] = 0.0
                        law[f] = size
                    matrix[first, f] = size
    if size == 0.0:
        return False
    for p in range(n):
        best = p
        for r in range(p + 1, n):
            if abs(matrix[r, p]) > abs(matrix[best, p]):
                best = r
        if not abs(matrix[best, p]) > 1e-13 * size:
            return False
        for q in range(n):
            matrix[p, q], matrix[best, q] = matrix[best, q], matrix[p, q]
        law[p], law[best] = law[best], law[p]
        for r in range(p + 1, n):
            factor = matrix[r, p] / matrix[p, p]
            if factor != 0.0:
                for q in range(p, n):
                    matrix[r, q] -= factor * matrix[p, q]
                law[r] -= factor * law[p]
    for p in range(n - 1, -1, -1):
        for q in range(p + 1, n):
            law[p] -= matrix[p, q] * law[q]
        law[p] = max(law[p] / matrix[p, p], 0.0)
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _average_of_sets(takes, component, closed, kept, law):
    """Return the mean number of sets of the fast molecules that a reaction takes, over the law of the fast species.

    It follows from factorial moments: N(N-1)… of a multinomial times shares, and powers of a Poisson mean.
    """
    average = 1.0
    for c in range(kept.shape[0]):
        left = kept[c]
        for f in range(takes.shape[0]):
            if component[f] == c:
                for k in range(takes[f]):
                    average *= law[f] / (k + 1.0)
                    if closed[c]:
                        average *= left
                        left -= 1.0
    return average


@njit(cache=True, nogil=True, error_model="numpy")
def _draw_fast(fast, component, closed, kept, law, out, stream):
    """Draw the counts of the fast species from their law; a closed component costs a number a molecule."""
    for f in range(fast.shape[0]):
        out[fast[f]] = 0
        if not closed[component[f]]:
            n, stream = next_poisson(law[f], stream)
            out[fast[f]] = np.int64(n)
    for c in range(closed.shape[0]):
        if closed[c]:
            for _ in range(np.int64(kept[c])):
                u, stream = next_uniform(stream)
                chosen = -1
                for f in range(fast.shape[0]):
                    if component[f] == c and law[f] > 0.0:
                        chosen = f
                        if u < law[f]:
                            break
                        u -= law[f]
                out[fast[chosen]] += 1
    return stream
