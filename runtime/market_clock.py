"""The time of the market as this process reads it: the machine's clock, unless a replay has set its own.

Rules and statements go by the database's market_now(). This clock is for the few places that need a time before they
ask the database, and that the database checks afterwards.
"""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime


def now() -> datetime:
    """Return the time of the market."""
    return _read()


@contextlib.contextmanager
def set_to(read: Callable[[], datetime]) -> Iterator[None]:
    """Let another clock give the time of the market in this process."""
    global _read
    before, _read = _read, read
    try:
        yield
    finally:
        _read = before


def _machine_time() -> datetime:
    return datetime.now(UTC)


_read: Callable[[], datetime] = _machine_time
