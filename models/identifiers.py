"""Identifiers that sort by the time of their creation."""

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Iterator


def new_id() -> uuid.UUID:
    """Return a UUID of version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then random bits."""
    return _draw()


def version_7(milliseconds: int, bits: int) -> uuid.UUID:
    """Return the UUID of version 7 for a time since 1970 and 80 bits, of which version and variant replace six."""
    value = (milliseconds << 80) | bits
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return uuid.UUID(int=value)


@contextlib.contextmanager
def drawn_from(draw: Callable[[], uuid.UUID]) -> Iterator[None]:
    """Draw the new identifiers of this process from a function; a replay needs the same ones in every run."""
    global _draw
    before, _draw = _draw, draw
    try:
        yield
    finally:
        _draw = before


def _random() -> uuid.UUID:
    return version_7(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10), "big"))


_draw: Callable[[], uuid.UUID] = _random
