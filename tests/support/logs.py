"""The log of a test; a conftest that imports the fixture gives it to every test of its folder."""

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """Return the log entries of the test, which also keeps them off the screen."""
    with capture_logs() as entries:
        yield entries
