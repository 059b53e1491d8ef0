"""Identifiers that sort by the time of their creation."""

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Iterator

DRAWN_AT_ONCE = 64


def new_id() -> uuid.UUID:
    """Return a UUID of version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then random bits."""
    return _draw()


def version_7(milliseconds: int, bits: int) -> uuid.UUID:
    """Return the UUID of version 7 for a time since 1970 and 80 bits, of which version and variant replace six."""
    value = (milliseconds << 80) | bits
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return uuid.UUID(int=value)


def random_id() -> uuid.UUID:
    """Return a UUID of version 4, as uuid.uuid4() does."""
    return uuid.UUID(int=_random_bits(), version=4)


@contextlib.contextmanager
def drawn_from(draw: Callable[[], uuid.UUID]) -> Iterator[None]:
    """Draw the new identifiers of this process from a function; a replay needs the same ones in every run."""
    global _draw
    before, _draw = _draw, draw
    try:
        yield
    finally:
        _draw = before


def _random_bits() -> int:
    """Return 128 random bits; those of many identifiers are drawn at once, since a call of the system takes 10 µs."""
    while True:
        try:
            return _drawn.pop()
        except IndexError:  # perhaps because another thread took the last ones
            drawn = os.urandom(16 * DRAWN_AT_ONCE)
            _drawn.extend([int.from_bytes(drawn[start : start + 16], "big") for start in range(0, len(drawn), 16)])


def _random() -> uuid.UUID:
    return version_7(time.time_ns() // 1_000_000, _random_bits() >> 48)


_draw: Callable[[], uuid.UUID] = _random
_drawn: list[int] = []
os.register_at_fork(after_in_child=_drawn.clear)  # the parent will use them
