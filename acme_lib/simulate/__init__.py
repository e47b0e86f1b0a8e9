"""Exact simulation of ensembles."""

from acme_lib.simulate.ensemble import Ensemble
from acme_lib.simulate.record import EventRecord
from acme_lib.simulate.ssa import simulate_ssa

__all__ = ["Ensemble", "EventRecord", "simulate_ssa"]
