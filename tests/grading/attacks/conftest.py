"""What the tests of attacks share."""

import pytest

from tests.conftest import in_ci
from tests.grading.attacks.course import can_contain


@pytest.fixture(scope="session")
def contained():
    """Skip (in CI: fail) where attacks cannot be contained."""
    missing = can_contain()
    if missing and in_ci():
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)


@pytest.fixture(scope="module")
def chosen(request):
    """Return the names of the students that the selected tests of this file ask for."""
    items = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    return {getattr(value, "name", "") for item in items for value in item.callspec.params.values()}
