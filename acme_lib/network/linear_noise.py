"""The linear noise approximation of a network."""

from dataclasses import dataclass
from functools import cached_property

from acme_lib.network.rate_equations import RateEquations, phi_names
from acme_lib.network.symbolic import (
    TIME,
    Equations,
    Printer,
    convention_note,
    diffusion_matrix,
    numeric,
    values_of,
)


@dataclass(frozen=True, eq=False, repr=False)
class LinearNoise(Equations):
    r"""The linear noise approximation (van Kampen's expansion to first order [1]_).

    Around a steady state :math:`\phi` of the rate equations the fluctuations are Gaussian, with covariance C from

    .. math:: J\,C + C\,J^T + D = 0, \qquad J = \frac{\partial}{\partial\phi} \sum_j s_j a_j,
              \quad D = \sum_j s_j s_j^T a_j.

    Mean and covariance are exact where every propensity is linear. Get it from `ReactionNetwork.linear_noise`.

    Attributes
    ----------
    network : ReactionNetwork
    rates : RateEquations

    References
    ----------
    .. [1] N. G. van Kampen, Can. J. Phys. 39, 551 (1961). doi:10.1139/p61-056
    .. [2] J. Elf, M. Ehrenberg, Genome Res. 13, 2475 (2003). doi:10.1101/gr.1196503
    """

    SOLVED_BY = {"solve": "acme.solve_stationary_linear_noise(network, x0)"}

    network: object
    rates: RateEquations

    @classmethod
    def of(cls, network, convention="macroscopic"):
        """Derive the linear noise approximation of a network."""
        linear_noise = cls(network, RateEquations.of(network, convention))
        _ = linear_noise.jacobian  # refuses rates without a derivative now rather than at first sight
        return linear_noise

    def rebind(self, network):
        """Return the same equations for a network that differs in the values of its parameters alone."""
        other = super().rebind(network)
        object.__setattr__(other, "rates", self.rates.rebind(network))
        return other

    @property
    def jacobian(self):
        """J, shape (species, species)."""
        return self.rates.jacobian

    @property
    def diffusion(self):
        """D, shape (species, species)."""
        return diffusion_matrix(self.network, self.rates.fluxes)

    @cached_property
    def _numeric(self):
        return numeric(self.network, self.rates.variables, [*self.jacobian, *self.diffusion])

    def evaluate(self, x, t=0.0, **parameters):
        """Return J and D at one state `x`, each of shape (species, species)."""
        n = len(self.network.species)
        return tuple(self._numeric(x, t, values_of(self.network, parameters)).reshape(2, n, n))

    def _printer(self, latex):
        return Printer(latex, [*self.rates.variables, TIME], phi_names(self.rates))

    def _rows(self, printer):
        if printer.is_latex:
            yield r"\mathbf{J}\,\mathbf{C} + \mathbf{C}\,\mathbf{J}^{\mathsf{T}} + \mathbf{D}", ["0"]
        else:
            yield "J C + C J^T + D", ["0"]
        for name, matrix in (("J", self.jacobian), ("D", self.diffusion)):
            rows = [[printer.sum([entry]) for entry in row] for row in matrix.tolist()]
            yield (rf"\mathbf{{{name}}}" if printer.is_latex else name), [printer.matrix(rows)]

    def _note(self):
        return (
            r"At a steady state $\phi$ of the rate equations; $\mathbf{C}$ is the covariance of the counts. "
            f"{convention_note(self.network, self.rates.convention, 'phi')}"
        )
