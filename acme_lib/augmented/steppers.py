"""Steps in time: implicit by rational approximations, explicit by Runge–Kutta methods; one interface.

A stepper is told of an interval in which no rate jumps (`begin`), and then makes steps (`step`) of any length up to its
`longest`.
"""

import numpy as np

from acme_lib.augmented.breaks import varies
from acme_lib.augmented.explicit import Operator, find_method, stability_limit
from acme_lib.augmented.rational import Propagator
from acme_lib.checks import check_number, check_whole
from acme_lib.errors import ParameterError, StabilityError


class Implicit:
    """Steps by rational approximations; of a constant operator, or of that at the middle of the step."""

    limited = stable_step = np.nan

    def __init__(self, system, poles, longest):
        poles = (5 if len(system.space.continuum) == 1 else 3) if poles is None else poles
        self.system, self.poles = system, poles
        self.longest = np.inf if longest is None else longest
        self.name = f"implicit, order {2 * poles - 1}"
        self.varying = varies(system)
        self.order = 2 if self.varying else 2 * poles - 1
        if self.varying:
            self.name = "implicit, exponential midpoint extrapolated to order 4"
        self.constant = None
        self.made = 0

    @property
    def factorisations(self):
        """How many there were so far."""
        return self.made + (self.constant.factorisations if self.constant else 0)

    def begin(self, low, high):
        """Take the rates of an interval in which they do not jump."""
        if not self.varying and (self.constant is None or self.system.uses_time):
            self.made = self.factorisations
            self.constant = self._propagator(0.5 * (low + high))

    def _propagator(self, t):
        terms = self.system.terms(t)
        n = terms.n_unknowns
        functionals = np.array([terms.leak, terms.stop, terms.gain]).reshape(3, n)
        return Propagator(terms, functionals, self.poles)

    def step(self, p, t, h):
        """Return p after a step, and the integrals over it of what leaks, is stopped and is made."""
        if not self.varying:
            source = self.constant.terms.source.sum() * self.constant.terms.volume * h
            p, integrals = self.constant.step(p, h)
            return p, integrals + np.array([0.0, 0.0, source])
        propagator = self._propagator(t + 0.5 * h)
        self.made += len(propagator.fractions)
        source = propagator.terms.source.sum() * propagator.terms.volume * h
        p, integrals = propagator.step(p, h)
        return p, integrals + np.array([0.0, 0.0, source])


class Explicit:
    """Runge–Kutta steps of a scheme of any kind."""

    factorisations = 0

    def __init__(self, system, method, longest, controlled):
        self.system, self.method = system, find_method(method)
        self.order, self.controlled = self.method.order, controlled
        self.name = f"adaptive {self.method.name}" if controlled else self.method.name
        self.given = longest
        self.constant = None
        self.evaluations = np.zeros(2)
        self.stable_step = np.inf

    @property
    def limited(self):
        """Share of slopes that the limiter held back."""
        held, slopes = self.evaluations
        return held / slopes if slopes else np.nan

    def begin(self, low, high):
        """Take the rates of an interval in which they do not jump, and the step that they allow."""
        terms = self.system.terms(0.5 * (low + high))
        stable = stable_step(self.system, self.method, terms)
        if self.system.uses_time:
            for t in np.linspace(low, high, 9):
                stable = min(stable, stable_step(self.system, self.method, self.system.terms(t)))
        self.stable_step = min(self.stable_step, stable)
        if stable == 0.0:
            raise StabilityError(
                f"{self.method.name} is not stable with the scheme {_scheme_name(self.system.scheme)} at any step: "
                "take a method of order 3, such as 'ssprk(4,3)', the scheme 'upwind', or method='implicit'"
            )
        if self.given is not None and self.given > stable * (1 + 1e-9):
            raise StabilityError(
                f"the step {self.given:g} is longer than {stable:.6g}, up to which {self.method.name} is stable with "
                f"the scheme {_scheme_name(self.system.scheme)} and these rates; shorten it, leave it out, or take "
                "method='implicit'"
            )
        self.longest = stable if self.given is None else self.given
        if not varies(self.system):
            self.constant = self._operator(0.5 * (low + high), terms)

    def _operator(self, t, terms=None):
        terms = self.system.terms(t) if terms is None else terms
        return Operator(self.system, terms, np.array([terms.leak, terms.stop, terms.gain]))

    def step(self, p, t, h):
        """Return p after a step, and the integrals over it of what leaks, is stopped and is made."""
        constant = self.constant
        operator_at = self._operator if constant is None else lambda t: constant
        p, integrals, counts = self.method.step(operator_at, p, t, h)
        self.evaluations += counts
        return p, integrals


def stable_step(system, method, terms):
    """Return the longest step at which a `RungeKutta` is stable (for limited schemes: keeps the density positive)."""
    return stability_limit(system.scheme, method) / max(terms.stiffness, 1e-300)


def _scheme_name(scheme):
    return getattr(scheme, "name", None) or scheme.limiter


def choose_stepper(system, method, step, poles):
    """Return the stepper of a method, with its longest step and its poles, where they are given."""
    if step is not None:
        check_number("step", step, above=0)
    if poles is not None:
        check_whole("poles", poles, 1, 9)
    if method == "auto":
        method = "implicit" if system.is_linear else "ssprk(4,3)"
    if method == "implicit":
        if not system.is_linear:
            raise ParameterError(
                f"implicit steps need a linear scheme; {_scheme_name(system.scheme)} is not: take an explicit method, "
                "or build the system with scheme='third' or 'fitted'"
            )
        return Implicit(system, poles, step)
    if method == "adaptive":
        return Explicit(system, "ssprk(4,3)", step, True)
    return Explicit(system, method, step, False)
