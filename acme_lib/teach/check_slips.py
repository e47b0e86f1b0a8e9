"""The catalogue of misconceptions: what a learner reads when an answer is wrong in a known way.

A text says why the idea is wrong and what to think about next. It gives neither the answer's formula nor its value,
so that the same text can stand under a hidden check.

Here stand those that the library's own checks recognise by themselves. All others are written where their code is, in
the assignments (``solutions/``); `acme build` collects their texts in ``misconceptions.json`` beside this file.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

RIGHT = "✔ right"  # so begins what a check says that is passed
COLLECTED = Path(__file__).with_name("misconceptions.json")


@dataclass(frozen=True)
class Slip:
    """A documented misconception: its name and what to think about."""

    name: str
    text: str


OWN = {
    # propensities
    # waiting and choosing
    "time-for-rate": Slip(
        "a time in place of a rate",
        "The waiting time has the unit of a time: check what becomes of your answer when every propensity "
        "doubles. NumPy's exponential takes the mean as its scale; is your scale a mean or a rate?",
    ),
    "not-normalised": Slip(
        "not normalised",
        "Probabilities of all that can happen add up to one. What does your answer add up to?",
    ),
    "squared-weights": Slip(
        "weights by squares",
        "Unit length is the right size for an arrow. Probabilities have another kind of size: they add up to one.",
    ),
    # one step of the algorithm
    "log-base": Slip(
        "the logarithm to another base",
        "The exponential law undoes with the natural logarithm. Which one does your function use?",
    ),
    "total-missing": Slip(
        "the total propensity missing in the time",
        "Your time does not depend on how fast the reactions are. Double all propensities: what should become of "
        "the wait?",
    ),
    "own-random-numbers": Slip(
        "random numbers of your own",
        "Called twice with the same arguments, your function gives two different answers. All chance that it needs "
        "comes in as arguments: which of them does it not use?",
    ),
    "uniform-wait": Slip(
        "a uniform waiting time",
        "A wait without memory is exponential, not uniform: there is no longest wait, and short waits are the "
        "most frequent.",
    ),
    "uniform-choice": Slip(
        "choosing uniformly",
        "Your choice does not depend on the propensities. Should a reaction that is a hundred times faster not be"
        " chosen more often?",
    ),
    "singular-matrix": Slip(
        "one equation too few",
        "The columns of a generator sum to zero, so that one of its equations follows from the others: the equations "
        "alone do not fix the answer, and a solver calls them singular. Which fact about probabilities is not yet "
        "among your equations?",
    ),
    # averages over a trajectory
    # the ensemble
    "starts-elsewhere": Slip(
        "the wrong start",
        "Your trajectories do not start from n0. At t = 0 every one of them must still be there.",
    ),
    "stationary-too-early": Slip(
        "the stationary law too early",
        "Your counts follow the law of a very long time. At time t the cell still remembers where it started.",
    ),
    "overshoot": Slip(
        "one event too many",
        "The event that crosses t happens after t, and must not count any more.",
    ),
    "mean-rounded": Slip(
        "the mean without its noise",
        "All your trajectories end (nearly) alike. A count is random: two cells differ.",
    ),
    "deterministic-poisson": Slip(
        "Poisson noise around the mean",
        "A Poisson law has a variance as large as its mean. Molecules that are known to be there at the start add"
        " less noise than that.",
    ),
    "death-not-per-molecule": Slip(
        "decay that does not depend on the count",
        "Each molecule decays on its own: twice as many molecules lose twice as many per unit of time.",
    ),
    "no-death": Slip(
        "births alone",
        "Your molecules never decay. What does gamma do?",
    ),
    "returns-times": Slip(
        "not counts",
        "Molecules come in whole, non-negative numbers; your answer holds others. Are these times, or averages?",
    ),
    "global-generator": Slip(
        "another source of randomness than rng",
        "The same rng must give the same answer, so that a run can be repeated. Draw every random number from the"
        " rng that comes in.",
    ),
    "fixed-seed": Slip(
        "the same numbers again",
        "Two different generators gave the same answer, or all trajectories are alike. Is a generator with a "
        "fixed seed made inside?",
    ),
    # the log of an ensemble
    "waits-for-times": Slip(
        "waits in place of times",
        "A time is counted from the start of its cell, not from the event before. What has to become of the times in "
        "one cell as you go down the log?",
    ),
    "count-before": Slip(
        "the count before in place of the count after",
        "A row of the log says how many molecules there are once the event has happened. Do you write the row before "
        "the count changes?",
    ),
    "change-for-count": Slip(
        "the change in place of the count",
        "A row of the log holds the number of molecules that are there after the event, not what the event adds.",
    ),
    "start-logged": Slip(
        "the start taken for an event",
        "At time 0 nothing happens yet: the log holds events only, and a cell in which nothing happens has no row.",
    ),
    "cell-not-reset": Slip(
        "a cell that goes on where the one before ended",
        "Every cell begins anew: at time 0, with n0 molecules. Which of your variables still hold what the last cell "
        "left in them?",
    ),
    "cells-alike": Slip(
        "cells that keep step",
        "Waits are continuous and cells independent: two cells never do something at exactly the same moment. Does "
        "each cell draw waits of its own, at every event? Or do your cells move in steps of fixed length?",
    ),
    "one-number-for-both": Slip(
        "one random number for the time and the reaction",
        "If the same number decides on when and on what, then long waits end in one reaction and short ones in the "
        "other. How many random numbers does one step need?",
    ),
    "too-regular": Slip(
        "numbers that are too regular",
        "Your answer fits the law better than independent random numbers ever would: chance scatters. Are these "
        "numbers spread evenly, or arranged so that they fit? Draw each on its own, from rng.",
    ),
    # the generator of the master equation
    "transposed": Slip(
        "rows and columns exchanged",
        "The convention is A[to, from]: a column says where probability goes *from* one state. Which of your sums"
        " vanish, those of the columns or those of the rows?",
    ),
    "no-diagonal": Slip(
        "the diagonal missing",
        "What flows into one state flows out of another. Where does your matrix take away what leaves a state?",
    ),
    "positive-diagonal": Slip(
        "the diagonal with the wrong sign",
        "The diagonal says how fast probability *leaves* a state, so that total probability stays what it is.",
    ),
    "truncation-off-by-one": Slip(
        "one state too few or too many",
        "The states are 0, 1, …, n_max. How many are these?",
    ),
    # the stationary law
    "left-vector": Slip(
        "the vector on the wrong side",
        "Your law is the same for all states. Every generator has a constant vector that it sends to zero from "
        "one side; the stationary law belongs to the other side of A[to, from].",
    ),
    "wrong-sign": Slip(
        "negative probabilities",
        "A vector that A sends to zero may point either way; probabilities may not.",
    ),
    "zero-vector": Slip(
        "the zero vector",
        "Zero does solve A p = 0, but it is no law. Which further equation has the answer to satisfy?",
    ),
}


def _read_collected():
    texts = json.loads(COLLECTED.read_text("utf-8")) if COLLECTED.is_file() else {}
    return {key: Slip(title, says) for key, (title, says) in texts.items()}


SLIPS = {**OWN, **_read_collected()}


def announce(key):
    """Return what a failed check says of a misconception: its name, then what to think about."""
    return f"This looks like: {SLIPS[key].name}.", SLIPS[key].text


def find_slips(message):
    r"""Return the misconceptions that the message of a failed check names, however its lines are broken.

    What follows ``Called with:`` is not read: there may stand the text of an error, which a student chooses.

    >>> find_slips(" ".join(["✗ A check fails.", *announce("leaks")]) + "\nCalled with:\n  x = 1")
    ('leaks',)
    """
    words = " ".join(re.split(r"^Called with:$", message, maxsplit=1, flags=re.MULTILINE)[0].split())
    return tuple(key for key in SLIPS if " ".join(announce(key)) in words)
