"""What is said when a solution reaches the end of its space."""

import warnings

from acme_lib.errors import DomainError, TruncationWarning

TOLERATED = 1e-5


def judge_leak(system, share, max_leak):
    """Warn of a leaked share of the mass that matters, and refuse one above `max_leak`."""
    if not share > TOLERATED:
        return
    space = system.space
    ends = ", ".join(
        f"{name} ends at {space[name].upper:g}" if name in space.continuum else f"{name} at {space[name].largest}"
        for name in space.names
        if name not in space.abstract
    )
    text = (
        f"the solution reaches the end of the space: a share of {share:.2g} of the mass has crossed it, or would have "
        f"({ends}); extend the grid"
    )
    if share > max_leak:
        raise DomainError(f"{text}, or say max_leak={min(1.0, 2 * share):.2g} if that is meant")
    warnings.warn(text, TruncationWarning, stacklevel=4)
