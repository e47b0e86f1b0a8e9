"""Checks of numbers of a learner's own, which the released notebook knows by a hash alone, the seal."""

import hashlib
import itertools
import math
import sys

from acme_lib.teach.check_compare import compare
from acme_lib.teach.check_door import as_numbers, show
from acme_lib.teach.check_run import known_slips, run_check
from acme_lib.teach.check_words import Finding

SEAL_WIDTH, SEAL_NEAR = 0.004, 0.001  # relative: of the bins that are sealed, and how near an answer has to be


def check_sealed(function, salt, right, *, parts, slips=None, what=""):
    """Check numbers that a learner found for data of their own, without holding them.

    Parameters
    ----------
    function : callable
        The learner's, without parameters; it returns as many positive numbers as there are `parts`.
    salt, right : str
        The right answer under `seal`. One whose parts are each within 0.1 % of it passes, one with a part that is
        farther away than 0.6 % does not.
    parts : sequence of str
        Their names.
    slips : dict, optional
        Misconceptions and their answers, sealed alike.
    what : str

    Raises
    ------
    CheckFailed
    """
    slips = known_slips(slips)

    def judge(answer):
        details = f"Your answer: {show(answer)}"
        problem = compare(answer, (0.0,) * len(parts), 0.0, sys.float_info.max, parts)
        if problem:
            return Finding(problem, details)
        numbers = [float(as_numbers(part)) for part in answer]
        near = itertools.product((0.0, -SEAL_NEAR, SEAL_NEAR), repeat=len(parts))
        seals = []
        for shifts in near:
            seals.append(seal([x * (1 + shift) for x, shift in zip(numbers, shifts, strict=True)], salt))
            if seals[-1] == right:
                return None
        found = tuple(key for key, given in slips.items() if given in seals)
        return Finding("these are not the numbers that follow from your data", details, found)

    run_check(function, {}, judge, what)


def seal(numbers, salt):
    """Return a text from which a few numbers can be recognised (about, see `check_sealed`) and not easily found."""
    bins = [f"{x > 0} {math.floor(math.log(abs(x)) / SEAL_WIDTH) if x else 0}" for x in numbers]
    return hashlib.pbkdf2_hmac("sha256", ", ".join(bins).encode(), salt.encode(), 20_000).hex()[:24]
