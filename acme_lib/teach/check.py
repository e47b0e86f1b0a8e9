"""Checks of a learner's function, with messages that teach.

A check cell of an assignment calls these functions and nothing else::

    from acme_lib.teach.check import check_values, hidden_checks

    check_values(propensities, {"counts": [3, 1], "rates": [5.0, 1.0, 0.2]}, [5.0, 3.0, 0.6],
                 slips={"pairs-squared": [5.0, 3.0, 1.8]})

The learner's function is only ever *called*, with plain data, through the door in `acme_lib.teach.check_door`; what
comes back is judged by exact types and copied before it is compared. The same cell therefore runs in the learner's
kernel, under stock nbgrader, and with the function in another process.

A right answer leaves a line, ``✔ right, 2 of 2 points``, and at the end of a question what that establishes
(`all_right`). A wrong one raises `CheckFailed`, whose message says what was asked, what came, and, where the answer is
one that a documented misconception gives, what to think about (`acme_lib.teach.check_slips`). Inside `hidden_checks`
all checks run to the end, and the message holds no value: only how many failed and the misconceptions.

Nothing is defined here: this is where notebooks import from. `check_run.py` runs a check and `check_words.py` writes
what it says; the checks themselves stand in files of one kind each.
"""

from acme_lib.teach.check_birth_death import birth_death_law, birth_death_laws
from acme_lib.teach.check_compare import ANYTHING
from acme_lib.teach.check_door import fresh_rng, use_door
from acme_lib.teach.check_ensemble import check_ensemble, check_sources
from acme_lib.teach.check_intervals import check_coverage
from acme_lib.teach.check_numbers import check_distribution, check_generator, check_values
from acme_lib.teach.check_random import check_law, check_samples
from acme_lib.teach.check_run import CheckFailed, all_right, hidden_checks
from acme_lib.teach.check_seals import check_sealed, seal
from acme_lib.teach.check_seeds import check_seeding
from acme_lib.teach.check_words import NOT_WRITTEN

__all__ = [
    "ANYTHING",
    "NOT_WRITTEN",
    "CheckFailed",
    "all_right",
    "birth_death_law",
    "birth_death_laws",
    "check_coverage",
    "check_distribution",
    "check_ensemble",
    "check_generator",
    "check_law",
    "check_samples",
    "check_sealed",
    "check_seeding",
    "check_sources",
    "check_values",
    "fresh_rng",
    "hidden_checks",
    "seal",
    "use_door",
]
