"""Reaction networks: text and expressions become rates as data.

A rate is kept as *data* (`rates.RateTable`: arrays and postfix programs), so that a kernel that was compiled once
serves every network.
"""

from acme_lib.network.dual_reporter import dual_reporter
from acme_lib.network.event import Event
from acme_lib.network.reaction_network import Reaction, ReactionNetwork

__all__ = ["Event", "Reaction", "ReactionNetwork", "dual_reporter"]
