"""Fixtures of the tests of the machine room."""

from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """Return the log events of a test."""
    with capture_logs() as entries:
        yield entries
