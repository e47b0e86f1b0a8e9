"""What a check says where an answer is wrong, in lines that nbgrader's validator does not cut."""

import textwrap
from dataclasses import dataclass

from acme_lib.limits import CALL_SECONDS
from acme_lib.teach.check_door import show
from acme_lib.teach.check_slips import announce

WIDTH = 82  # nbgrader's validator indents by 4 and cuts lines at 87
NOT_WRITTEN = (
    "Your function is not written yet: replace the line `raise NotImplementedError()` by your code, "
    "run that cell and then this one."
)
TRY_OTHERS = "Try your function on cases of your own: very small ones, and ones that you can work out by hand."
TOO_LONG = (
    f"Your function did not come to an end within {CALL_SECONDS:g} seconds, and was stopped. Does every loop end: does "
    "the time, or the counter, move on in each round?"
)


@dataclass(frozen=True)
class Finding:
    """What is wrong, and the misconceptions that explain it; of a hidden check, `details` are not shown."""

    general: str
    details: str = ""
    slips: tuple = ()


def explain(finding, arguments, what):
    """Return the message of a visible check that failed: with the arguments and the values."""
    lines = [f"✗ {what}" if what else "✗ This check fails"]
    if finding.general is NOT_WRITTEN:
        return "\n".join([*lines, *wrap(NOT_WRITTEN)])
    lines += wrap(_sentence(finding.general))
    if finding.slips:
        lines += _name_slip(finding.slips[0])
    lines.append("")
    lines.append("Called with:")
    shown = "\n".join(f"{name} = {show(value, 4)}" for name, value in arguments.items()) or "no arguments"
    lines += textwrap.indent(shown, "  ").split("\n")
    lines += finding.details.split("\n") if finding.details else []
    return "\n".join(lines)


def summarise(region):
    """Return the message of the hidden checks in a region, of which some failed: without any value."""
    failed, total = len(region.findings), region.checks
    if all(finding.general is NOT_WRITTEN for finding in region.findings):
        return "\n".join(["✗ Hidden checks", *wrap(NOT_WRITTEN)])
    lines = [
        f"✗ {failed} of {total} hidden {'check fails' if total == 1 else 'checks fail'}, on values that are not shown."
    ]
    slips = explain_together(region)
    if slips:
        for slip in slips[:2]:
            lines += _name_slip(slip)
    else:
        for general in list(dict.fromkeys(finding.general for finding in region.findings))[:2]:
            lines += wrap(_sentence(general))
        lines += wrap(region.advice)
    return "\n".join(lines)


def explain_together(region):
    """Choose the misconceptions that explain most of the findings and that no other check refutes."""
    open_findings = [set(finding.slips) - region.refuted for finding in region.findings]
    chosen, enough = [], 0.2 * len(open_findings)
    while candidates := [key for keys in open_findings for key in sorted(keys)]:
        key = max(candidates, key=candidates.count)
        if candidates.count(key) < max(enough, 2 if chosen else 1):  # as often as by coincidence
            break
        chosen.append(key)
        open_findings = [keys for keys in open_findings if key not in keys]
    return chosen


def _name_slip(key):
    return ["", *(line for text in announce(key) for line in wrap(text))]


def _sentence(text):
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?', '!')) else '.'}"


def wrap(text):
    """Return a text as lines that are not cut."""
    return textwrap.wrap(text, WIDTH, break_on_hyphens=False)
