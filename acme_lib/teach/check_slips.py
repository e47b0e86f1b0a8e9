"""The catalogue of misconceptions: what a learner reads when an answer is wrong in a known way.

A text says why the idea is wrong and what to think about next. It gives neither the answer's formula nor its value,
so that the same text can stand under a hidden check.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Slip:
    """A documented misconception: its name and what to think about."""

    name: str
    text: str


SLIPS = {
    # propensities
    "pairs-squared": Slip(
        "the square for the number of pairs",
        "The square counts each molecule as a partner of itself. Take two molecules and list the encounters "
        "between different ones; then take one molecule: can it dimerise?",
    ),
    "pairs-ordered": Slip(
        "ordered pairs",
        "Each pair is counted twice, once from each side. Are 'molecule 1 meets 2' and 'molecule 2 meets 1' two "
        "encounters?",
    ),
    "pairs-squared-half": Slip(
        "half the square for the number of pairs",
        "Halving corrects the double count, yet each molecule still counts as a partner of itself. What should one "
        "single molecule give?",
    ),
    "pairs-linear": Slip(
        "dimerisation as a first-order reaction",
        "Two molecules have to meet. How many more meetings are possible when there are twice as many molecules?",
    ),
    "sum-of-reactants": Slip(
        "adding reactants",
        "Two species that have to meet offer one encounter for each choice of one molecule of either. Think of 0 "
        "molecules of one species and many of the other: can the reaction happen?",
    ),
    "zeroth-times-count": Slip(
        "a count in a reaction without reactants",
        "A reaction that starts from nothing needs no molecule. Can it happen in an empty cell?",
    ),
    "count-ignored": Slip(
        "rate constants for propensities",
        "A rate constant belongs to one molecule (or one pair). The propensity belongs to the whole cell: how "
        "many molecules are ready to react?",
    ),
    "species-swapped": Slip(
        "the species exchanged",
        "The counts belong to the species in the order that the question gives. Which count does each reaction use?",
    ),
    # waiting and choosing
    "rate-for-time": Slip(
        "a rate in place of a time",
        "A rate has the unit 1/time. The more often something happens, the shorter is the wait: check the unit of"
        " your answer, and what becomes of it when every propensity doubles.",
    ),
    "time-for-rate": Slip(
        "a time in place of a rate",
        "The waiting time has the unit of a time: check what becomes of your answer when every propensity "
        "doubles. NumPy's exponential takes the mean as its scale; is your scale a mean or a rate?",
    ),
    "mean-of-waits": Slip(
        "averaging the separate waiting times",
        "All reactions race, and the first one to happen ends the wait. Adding one more reaction can only shorten it.",
    ),
    "sum-of-waits": Slip(
        "adding the separate waiting times",
        "The reactions do not happen one after the other; they race, and the first one to happen ends the wait.",
    ),
    "fastest-only": Slip(
        "the fastest reaction alone",
        "The fastest reaction is not the only one that can end the wait. Let two equally fast reactions race: is "
        "the wait as long as for one of them?",
    ),
    "mean-rate": Slip(
        "averaging the propensities",
        "Add a reaction that is as fast as the others: something now happens more often. Does your answer change?",
    ),
    "median-wait": Slip(
        "the median in place of the mean",
        "Half of the waits are shorter than the median, but the long ones weigh more in the mean.",
    ),
    "not-normalised": Slip(
        "not normalised",
        "Probabilities of all that can happen add up to one. What does your answer add up to?",
    ),
    "all-equal": Slip(
        "all outcomes equally likely",
        "A fast reaction happens first more often than a slow one. Where do the propensities enter?",
    ),
    "winner-takes-all": Slip(
        "the fastest reaction always wins",
        "The fastest reaction is the most likely one, not the certain one: in the long run each reaction must "
        "happen in its own proportion.",
    ),
    "cumulative": Slip(
        "cumulative sums in place of probabilities",
        "A cumulative sum says how likely it is to be one of the first j reactions. The question asks about each "
        "on its own.",
    ),
    "softmax": Slip(
        "a softmax",
        "Probabilities are proportional to the propensities themselves; an exponential of a rate has no meaning "
        "(what would its unit be?).",
    ),
    "inverse-weights": Slip(
        "weights by waiting times",
        "A reaction with a long waiting time happens first less often, not more often.",
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
    "complement": Slip(
        "the complementary probability",
        "The question asks for the time that is exceeded with probability u1: a small u1 belongs to a long wait. "
        "Does yours?",
    ),
    "negative-wait": Slip(
        "a wait below zero",
        "The logarithm of a number between 0 and 1 is negative. Can a waiting time be?",
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
    "wait-of-chosen": Slip(
        "the time of the chosen reaction alone",
        "The wait until *something* happens depends on all propensities together, not on the one that was chosen "
        "afterwards.",
    ),
    "counting-from-one": Slip(
        "an index off by one",
        "Python counts from 0: the first reaction has index 0. Test your comparison with a very small u2.",
    ),
    "last-below": Slip(
        "the reaction before the right one",
        "You stop one reaction too early. Walk along the cumulative sum: which is the first one that exceeds the mark?",
    ),
    "zero-propensity-fires": Slip(
        "a reaction without propensity happens",
        "A reaction whose propensity is 0 cannot happen. What does your comparison do when both sides are equal?",
    ),
    "not-scaled": Slip(
        "comparing a probability with a rate",
        "u2 lies between 0 and 1 but the propensities do not: bring both to the same scale before you compare them.",
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
    "event-weighted": Slip(
        "an average over events in place of time",
        "A plain mean gives a state that lasted a moment the same weight as one that lasted an hour. For how long"
        " was each count present?",
    ),
    "last-interval": Slip(
        "the last interval forgotten",
        "The last count lasts from its event to t_end, and that time belongs to the average as well.",
    ),
    "shifted-interval": Slip(
        "the count before in place of the count after",
        "counts[i] is the count that *begins* at times[i]. Which interval does it last for?",
    ),
    "trapezoid": Slip(
        "a line between the events",
        "Between two events the count stays what it is; it does not slide along a line.",
    ),
    "not-divided-by-time": Slip(
        "a sum in place of an average",
        "You have the area under the trajectory, in molecules times time. What is the average height?",
    ),
    "cv-squared-for-fano": Slip(
        "CV² in place of the Fano factor",
        "Both compare the variance with the mean. For a Poisson law the Fano factor is 1, whatever the mean; is yours?",
    ),
    "cv-for-fano": Slip(
        "the coefficient of variation in place of the Fano factor",
        "The Fano factor compares the variance, not the standard deviation, with the mean. For a Poisson law it is 1.",
    ),
    "variance-for-fano": Slip(
        "the variance in place of the Fano factor",
        "The Fano factor is a comparison of the variance with the mean.",
    ),
    "second-moment": Slip(
        "the second moment in place of the variance",
        "The mean square is not the variance: the spread is measured around the mean.",
    ),
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
    "shifted-death": Slip(
        "decay at the rate of a neighbouring state",
        "The rate of a transition depends on the state that it *leaves*. How many molecules could decay there?",
    ),
    "constant-death": Slip(
        "decay that does not depend on the count",
        "Each molecule decays on its own: the more there are, the more decays per unit of time.",
    ),
    "pair-removes-one": Slip(
        "one molecule lost where two react",
        "Both molecules of a pair are gone after the reaction. Which state does it lead to?",
    ),
    "leaks": Slip(
        "probability leaks through a reflecting boundary",
        "With a reflecting boundary nothing leaves the truncated space: what must then hold for every column, "
        "also for the last one?",
    ),
    "does-not-leak": Slip(
        "an absorbing boundary that does not absorb",
        "With an absorbing boundary a birth at n_max carries probability out of the space: the last column has to"
        " lose it.",
    ),
    "wraps-around": Slip(
        "the last state leads to the first",
        "A birth at n_max does not lead to state 0. An index of -1, or one that wraps around, is a likely cause.",
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
