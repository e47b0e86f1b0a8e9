"""Exact simulation of ensembles, of growing and dividing cells, and of all that happens on the way."""

from acme_lib.simulate.ensemble import Ensemble
from acme_lib.simulate.lineages import Adder, CellTable, LineageEnsemble, Sizer, Timer, simulate_lineage, simulate_tree
from acme_lib.simulate.record import EventRecord
from acme_lib.simulate.ssa import simulate_ssa
from acme_lib.simulate.stops import StopSummary

__all__ = [
    "Adder",
    "CellTable",
    "Ensemble",
    "EventRecord",
    "LineageEnsemble",
    "Sizer",
    "StopSummary",
    "Timer",
    "simulate_lineage",
    "simulate_ssa",
    "simulate_tree",
]
