"""Simulation of ensembles: exact, leaping, Langevin, averaged over fast species, and the rate equations beside them."""

from acme_lib.simulate.ensemble import Ensemble
from acme_lib.simulate.next_reaction import simulate_next_reaction
from acme_lib.simulate.ssa import simulate_ssa

__all__ = ["Ensemble", "simulate_next_reaction", "simulate_ssa"]
