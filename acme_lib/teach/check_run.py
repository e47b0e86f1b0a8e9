"""How a check is run: in a cell that the learner sees, or inside `hidden_checks`.

`run_check` asks the learner's function through the door and lets a function of the kind of check judge what came. A
visible check raises `CheckFailed` at once; hidden ones run to the end, and what they found is told together.
"""

import contextlib
import contextvars
import sys
from dataclasses import dataclass, field, replace

from acme_lib.teach.check_door import NotPlain, call, fresh_rng, is_local
from acme_lib.teach.check_slips import RIGHT, SLIPS
from acme_lib.teach.check_words import (
    NOT_WRITTEN,
    TOO_LONG,
    TRY_OTHERS,
    WIDTH,
    Finding,
    explain,
    explain_together,
    summarise,
    wrap,
)


class CheckFailed(AssertionError):
    """An answer is wrong; the message is for the learner, `slips` are the misconceptions that it names."""

    def __init__(self, message, slips=()):
        super().__init__(message)
        self.slips = tuple(slips)

    def _render_traceback_(self):
        # IPython shows these lines in place of the traceback: the frames of the library teach nothing.
        return str(self).split("\n")


class CheckBroken(CheckFailed):
    """A check could not be run, which is no fault of the answer: a person has to grade it."""


@dataclass
class HiddenRegion:
    """What the checks inside one `hidden_checks` have found so far."""

    checks: int = 0
    findings: list = field(default_factory=list)
    refuted: set = field(default_factory=set)  # misconceptions that would have given another answer than came
    advice: str = TRY_OTHERS
    random: bool = False  # whether the function gave two answers to the same arguments
    repeated: int = 0  # how many findings were asked for again, to see that


_region = contextvars.ContextVar("acme_hidden_region", default=None)
# Of the check cell that is being run: the function whose visible checks passed so far, and the misconceptions that
# would have failed one of them.
_passed = [None, set()]


def all_right(points, check=""):
    """Say that all checks of a cell are passed, and, of a question that is done, what that establishes.

    The last line of the cell. Only a notebook is told. Stock nbgrader gives full points to a cell that prints; our
    grading reads nothing of it.

    Parameters
    ----------
    points : int
        Of the cell.
    check : str
        Folder of the assignment and id of the cell, such as ``"02_noise_metrics/fano_check"``.
    """
    _passed[:] = None, set()
    if is_local() and "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
        from acme_lib.teach.passed import note_passed

        print(f"{RIGHT}, {points} of {points} points", *wrap(note_passed(check)), sep="\n")


@contextlib.contextmanager
def hidden_checks(advice=TRY_OTHERS):
    """Run the checks of the ``with`` block to the end; fail once, without showing any value.

    Parameters
    ----------
    advice : str
        What to do where no misconception is recognised.

    Yields
    ------
    numpy.random.Generator
        With fresh entropy from the door, for the parameters of the checks.
    """
    region = HiddenRegion(advice=advice)
    token = _region.set(region)
    broken = False
    try:
        yield fresh_rng()
    except CheckFailed:
        raise
    except Exception:  # its text and its source line could show what is hidden
        broken = True
    finally:
        _region.reset(token)
    if region.findings:
        raise CheckFailed(summarise(region), explain_together(region)[:2]) from None
    if broken:
        raise CheckBroken(
            "✗ A hidden check could not be run. This is no mistake of yours: please tell your teacher."
        ) from None


def hidden_region():
    """Return the `HiddenRegion` from within which this is called, or None."""
    return _region.get()


def is_hidden():
    """Return whether this is called from within `hidden_checks` (a door then knows whom it serves)."""
    return _region.get() is not None


def run_check(function, arguments, judge, what):
    """Ask a function and judge its answer: a `Finding` is raised at once, or kept in the hidden region.

    Parameters
    ----------
    function, arguments, what
        As in `acme_lib.teach.check_numbers.check_values`.
    judge : callable
        Of the answer: a `Finding`, or None where it is right.

    Raises
    ------
    CheckFailed
        Not raised inside `hidden_checks`.
    """
    region = _region.get()
    if region is not None:
        region.checks += 1
    answer, finding = ask(function, arguments)
    if finding is None:
        finding = judge(answer)
    if finding is None:
        return
    if region is not None:
        region.findings.append(finding)
        return
    refuted = find_refuted(function)
    _passed[:] = None, set()
    finding = replace(finding, slips=tuple(slip for slip in finding.slips if slip not in refuted))
    raise CheckFailed(explain(finding, arguments, what), finding.slips) from None


def find_refuted(function):
    """Return the set of misconceptions that a check of this function, in the hidden region or the cell, has refuted."""
    if _region.get() is not None:
        return _region.get().refuted
    if _passed[0] is not function:
        _passed[:] = function, set()
    return _passed[1]


def ask(function, arguments):
    """Return the answer and None, or None and a finding."""
    try:
        reply = call(function, *arguments.values())
    except NotPlain as problem:
        return None, Finding(say(problem))
    if reply.printed and _region.get() is None:  # what is printed in a hidden check could show its arguments
        print(reply.printed, end="" if reply.printed.endswith("\n") else "\n")
    if reply.error == "NotImplementedError":
        return None, Finding(NOT_WRITTEN)
    if reply.error == "TookTooLong":
        return None, Finding(TOO_LONG)
    if reply.error is not None:
        text = f"{reply.error}: {reply.error_text}" if reply.error_text else reply.error
        lines = [*wrap(text), reply.where[:WIDTH]]
        slips = ("singular-matrix",) if "singular matrix" in reply.error_text.lower() else ()
        details = "\n".join(filter(None, lines))
        # The name of an error in a hidden check could be chosen by the hidden arguments, and so tell them.
        name = _article(reply.error) if _region.get() is None else "an error"
        return None, Finding(f"your function stopped with {name}", details, slips)
    if reply.value is None:
        return None, Finding("your function returned nothing (None): is there a return?")
    return reply.value, None


def _article(name):
    return f"{'an' if name[:1] in 'AEIOU' else 'a'} {name[:40]}"


def known_slips(slips):
    """Leave out what the catalogue does not explain, and so is not named: a notebook may be newer than the library."""
    return {key: given for key, given in (slips or {}).items() if key in SLIPS}


def say(problem):
    """Say why an answer is none; of a hidden check not of which kind it was: its arguments could have chosen it."""
    if _region.get() is None or hasattr(problem, "reason"):  # no answer came, in time or at all
        return str(problem)
    return "what came back is no answer of the kind asked for: numbers, or arrays, lists or tuples of numbers"


def only_shown(text):
    """Return a part of a message that holds values, or in a hidden check nothing."""
    return text if _region.get() is None else ""
