"""An augmented master equation: a space, its network, further processes and a scheme."""

from dataclasses import dataclass, replace
from functools import cached_property

from scipy import sparse

from acme_lib.augmented.entries import Entries
from acme_lib.augmented.flux import add_fluxes
from acme_lib.augmented.process import Process
from acme_lib.augmented.rates import Rates, evaluate_rate, parse_rate
from acme_lib.augmented.reactions import Reactions
from acme_lib.augmented.schemes import LinearScheme, find_scheme
from acme_lib.augmented.space import AugmentedSpace
from acme_lib.checks import check_number, expected
from acme_lib.errors import ParameterError, StateSpaceError
from acme_lib.network.expression import suggest


@dataclass(frozen=True, eq=False)
class AugmentedSystem:
    """An augmented master equation: a space, its network and further processes, and a scheme.

    Build it with `build_augmented`.

    Attributes
    ----------
    space : AugmentedSpace
    processes : tuple
    diffusion : bool
    scheme : LinearScheme, LimitedScheme or FluxScheme
    parameters : dict of str to float
    """

    space: AugmentedSpace
    processes: tuple
    diffusion: bool
    scheme: object
    parameters: dict

    @property
    def is_linear(self):
        """Whether the scheme is linear in the densities."""
        return isinstance(self.scheme, LinearScheme)

    @cached_property
    def _entering(self):
        """What enters the operator, in order, each with its rates as expressions by name."""
        network = self.space.network
        reactions = () if network is None else (Reactions(network, self.diffusion),)
        return [(process, process.parse(self.space, self.parameters)) for process in (*reactions, *self.processes)]

    @cached_property
    def expressions(self):
        """All rates that the system evaluates."""
        return [expression for _, rates in self._entering for expression in rates.values()]

    @cached_property
    def uses_time(self):
        """Whether a rate depends on the time `t`."""
        return any(expression.uses_time for expression in self.expressions)

    def terms(self, t=0.0):
        """Return the operator at time `t` as `Terms`; kept where no rate depends on time."""
        return self._collect(float(t)) if self.uses_time else self._constant_terms

    @cached_property
    def _constant_terms(self):
        return self._collect(0.0)

    def _collect(self, t):
        entries = Entries(self.space, self.scheme, t)
        for process, expressions in self._entering:
            owner = type(process).__name__
            rates = Rates(expressions, self.space, self.parameters, t, entries.environment, owner, process.states)
            process.enter(entries, rates)
        add_fluxes(entries)
        return entries.terms()

    def matrix(self, t=0.0):
        """Return the matrix of dp/dt = A p alone, without auxiliary unknowns (for looking at; it may be full).

        Returns
        -------
        scipy.sparse.csr_array, shape (n_cells, n_cells)
            ``A[to, from]`` over the cells in C order.
        """
        if not self.is_linear:
            raise ParameterError(f"the scheme {self.scheme} is not linear in the densities and has no matrix")
        terms = self.terms(t)
        n = terms.n_cells
        whole = sparse.csc_array(terms.matrix)
        direct = whole[:n, :n]
        if terms.n_unknowns == n:
            return sparse.csr_array(direct)
        sums = sparse.csc_array(sparse.eye_array(terms.n_unknowns - n) - whole[n:, n:])
        inner = sparse.linalg.spsolve(sums, whole[n:, :n])
        return sparse.csr_array(direct + whole[:n, n:] @ inner)

    def refined(self, factor=2):
        """Return the same system on `factor` times as many cells."""
        return replace(self, space=self.space.refined(factor))

    def evaluate(self, text, t=0.0):
        """Return an expression of axes (in molecules), parameters and `t` on all cells, broadcasting to the shape."""
        expression = parse_rate(text, "the expression", self.space, self.parameters)
        return evaluate_rate(expression, self.space.environment(), self.parameters, t)


def build_augmented(space, /, *processes, diffusion=True, scheme="third", **parameters):
    r"""Build an augmented chemical master equation [1]_.

    .. math:: \partial_t p_k = \sum_i \Bigl[-\nabla\cdot(e_i r_i p_k)
        + \tfrac1{2\Omega} e_i^T \nabla\nabla (r_i p_k)\, e_i\Bigr]
        + \sum_j \Bigl[\int b_j(z) f_j p_k(x - z)\,dz - f_j p_k\Bigr]
        + \sum_\ell \bigl[g_{\ell k} p_\ell - g_{k\ell} p_k\bigr]

    Reactions that change continuum species only drift and diffuse; those that change discrete species only are
    transitions; those that change both are transitions with a shift of the concentration.

    Parameters
    ----------
    space : AugmentedSpace
    *processes : Burst, Fragmentation, Transition, Growth, Death, Influx, Drift, Diffusion
    diffusion : bool
        Whether reactions of continuum species make noise; without, the limit Ω → ∞ of that noise is taken.
    scheme : str, LinearScheme, LimitedScheme or FluxScheme
        ``"third"``, ``"fitted"`` (positive), ``"central"``, ``"upwind"``; or limited and explicit: ``"minmod"``,
        ``"van_leer"``, ``"mc"``, ``"superbee"``.
    **parameters : float
        Values of names in the processes' rates that the network does not have.

    Returns
    -------
    AugmentedSystem

    Raises
    ------
    ParameterError, PropensityError, StateSpaceError
        For unknown names, negative rates that were not asked for, kernels that do not integrate to what they claim.

    References
    ----------
    .. [1] D. Lunz, G. Batt, J. Ruess, J. F. Bonnans, PLoS Comput. Biol. 17, e1009214 (2021).

    Examples
    --------
    Self-regulated bursts of a protein, and its stationary law:

    >>> from acme_lib.augmented import AugmentedSpace, Burst, Continuum, ExponentialJump, solve_augmented_stationary
    >>> from acme_lib.network import ReactionNetwork
    >>> network = ReactionNetwork.parse("P -> 0 : g", g=1.0)
    >>> space = AugmentedSpace(network, P=Continuum(upper=6.0, cells=240, system_size=200))
    >>> system = build_augmented(space, Burst("P", rate=3.0, jump=ExponentialJump(40.0)), diffusion=False)
    >>> round(solve_augmented_stationary(system).mean("P"), 4)  # 3 bursts of 40 molecules, over 200
    0.6
    """
    if not isinstance(space, AugmentedSpace):
        raise expected("space", "an AugmentedSpace", space, error=StateSpaceError)
    if not space.continuum:
        raise StateSpaceError(
            "no axis is a Continuum: give one, or use build_generator, which solves discrete master equations"
        )
    if space.network is not None:
        space.network.refuse_events("build_augmented")
    inherited = dict(space.network.parameters) if space.network is not None else {}
    for name, value in parameters.items():
        if name in inherited:
            raise ParameterError(f"{name} is a parameter of the network: change it there, with network.with_parameters")
        if name in space.axes:
            raise ParameterError(f"{name} is an axis of the space and cannot be a parameter too; rename one")
        check_number(f"the parameter {name}", value)
    values = {**inherited, **{name: float(value) for name, value in parameters.items()}}
    for process in processes:
        if not isinstance(process, Process):
            raise expected("a process", "a Burst, Fragmentation, Transition, …", process)
    system = AugmentedSystem(space, tuple(processes), bool(diffusion), find_scheme(scheme), values)
    used = {name for expression in system.expressions for name in expression.names}
    for name in parameters:
        if name not in used:
            raise ParameterError(f"the parameter {name} stands in no process{suggest(name, used)}; remove it or use it")
    if not system.uses_time:
        system.terms()  # what is wrong shows here, not at the solution
    return system
