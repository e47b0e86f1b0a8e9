"""What the tests of attacks share."""

import pytest

from tests.grading.attacks.course import can_contain
from tests.programs import do_without


@pytest.fixture(scope="session")
def contained():
    """Skip (in CI: fail) where attacks cannot be contained."""
    missing = can_contain()
    if missing:
        do_without(missing)


@pytest.fixture(scope="module")
def chosen(request):
    """Return the names of the students that the selected tests of this file ask for."""
    items = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    return {getattr(value, "name", "") for item in items for value in item.callspec.params.values()}
