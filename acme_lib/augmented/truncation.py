"""What is said when a solution reaches the end of its space."""

import warnings

from acme_lib.errors import DomainError, TruncationWarning

TOLERATED = 1e-5  # shares of the mass: above, a warning
REFUSED = 0.05  # and above this, an error


def judge_leak(system, share, max_leak):
    """Refuse a leaked share of the mass above `max_leak`; by default warn of what matters and refuse what is much."""
    if not share > (TOLERATED if max_leak is None else max_leak):
        return
    space = system.space
    ends = ", ".join(
        f"{name} ends at {space[name].upper:g}" if name in space.continuum else f"{name} at {space[name].largest}"
        for name in space.names
        if name not in space.abstract
    )
    text = (
        f"the solution reaches the end of the space: a share of {min(share, 1.0):.2g} of the mass would have "
        f"crossed it ({ends}); extend the grid"
    )
    if max_leak is not None or share > REFUSED:
        raise DomainError(f"{text}, or say max_leak={2 * share:.2g} if that is meant")
    warnings.warn(text, TruncationWarning, stacklevel=4)
