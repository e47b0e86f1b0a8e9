"""Simulation: exact, leaping, Langevin, averaged over fast species; lineages, jump-drift paths and populations."""

from acme_lib.simulate.cells import CellTable, LineageEnsemble
from acme_lib.simulate.ensemble import Ensemble
from acme_lib.simulate.jump_drift import simulate_jump_drift
from acme_lib.simulate.langevin import simulate_langevin
from acme_lib.simulate.lineages import simulate_lineage, simulate_tree
from acme_lib.simulate.next_reaction import simulate_next_reaction
from acme_lib.simulate.population import Population, simulate_population
from acme_lib.simulate.rate_equations import RateEquationSolution, solve_rate_equations
from acme_lib.simulate.record import EventRecord
from acme_lib.simulate.slow_scale import simulate_slow_scale
from acme_lib.simulate.ssa import simulate_ssa
from acme_lib.simulate.stop_summary import StopSummary
from acme_lib.simulate.tau_leap import simulate_tau_leap

__all__ = [
    "CellTable",
    "Ensemble",
    "EventRecord",
    "LineageEnsemble",
    "Population",
    "RateEquationSolution",
    "StopSummary",
    "simulate_jump_drift",
    "simulate_langevin",
    "simulate_lineage",
    "simulate_next_reaction",
    "simulate_population",
    "simulate_slow_scale",
    "simulate_ssa",
    "simulate_tau_leap",
    "simulate_tree",
    "solve_rate_equations",
]
