"""Simulation of ensembles: exact, leaping, Langevin, averaged over fast species, and the rate equations beside them."""

from acme_lib.simulate.compare import EnsembleComparison, compare_ensembles, compare_with_exact
from acme_lib.simulate.ensemble import Ensemble
from acme_lib.simulate.hybrid import simulate_slow_scale
from acme_lib.simulate.langevin import simulate_langevin
from acme_lib.simulate.next_reaction import simulate_next_reaction
from acme_lib.simulate.rate_equations import RateEquationSolution, solve_rate_equations
from acme_lib.simulate.ssa import simulate_ssa
from acme_lib.simulate.tau_leap import simulate_tau_leap

__all__ = [
    "Ensemble",
    "EnsembleComparison",
    "RateEquationSolution",
    "compare_ensembles",
    "compare_with_exact",
    "simulate_langevin",
    "simulate_next_reaction",
    "simulate_slow_scale",
    "simulate_ssa",
    "simulate_tau_leap",
    "solve_rate_equations",
]
