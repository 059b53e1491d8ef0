"""The files in which a process keeps its counts, with their room taken before it is used.

prometheus_client makes such a file long without room and maps it into memory. On a full file system (a container's
/dev/shm has 64 MB unless told otherwise) the first touch of a page without room is a SIGBUS, which ends the process.
"""

import contextlib
import errno
import mmap
import os
import struct
import threading
import time
from pathlib import Path
from typing import Any

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

from runtime.logs import get_logger
from runtime.metrics_folder import uncounted_note

FIRST_BYTES = 65_536
VALUE = struct.Struct("dd")  # a number and its time, written in one assignment: a reader never sees half of it
# A value's length, padding, number and time beside its key.
VALUE_BYTES = 32
# Never taken by counts: Dramatiq's semaphores lie in /dev/shm too, and a worker does not start without them.
RESERVE_BYTES = 2**20
PAUSE_S = 1.0

logger = get_logger(__name__)

_files: "list[CountsFile]" = []


class CountsFile(MmapedDict):
    """prometheus_client's file of counts; what has no room there waits here until there is some.

    The library (0.26.0, values.py) writes a value as a whole, so that one that comes late is right all the same.
    """

    def __init__(self, filename: str) -> None:
        self._fname = filename
        self._f: Any = None
        self._m: Any = None
        self._positions: dict[str, int] = {}
        self._waiting: dict[str, tuple[float, float]] = {}
        self._next_try_at = 0.0
        self._lock = threading.Lock()  # prometheus_client's own keeps out all but settle()
        _files.append(self)
        with contextlib.suppress(OSError):  # the first value tries again, and says so
            self._open()

    @property
    def is_incomplete(self) -> bool:
        """Return True if the file lacks a value, or somebody has deleted it."""
        return bool(self._waiting) or not os.path.exists(self._fname)

    def read_value(self, key: str) -> tuple[float, float]:
        """Return a value and its time; a new one is 0."""
        if key not in self._positions:
            self.write_value(key, *self._waiting.get(key, (0.0, 0.0)))
        if key in self._positions:
            value, timestamp = super().read_value(key)
            return value, timestamp
        return self._waiting[key]

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Write a value, or keep it until there is room."""
        position = self._positions.get(key)
        if position is not None:  # as the library does, without the 7 µs a placement that asking it would cost
            self._m[position : position + VALUE.size] = VALUE.pack(value, timestamp)
            return
        with self._lock:
            self._waiting[key] = (value, timestamp)
            self._write_waiting()

    def settle(self) -> None:
        """Write what waits, if there is room by now."""
        with self._lock:
            self._write_waiting()

    def _write_waiting(self) -> None:
        if not self._waiting or time.monotonic() < self._next_try_at:
            return
        was_incomplete = self._next_try_at > 0
        try:
            for key, (value, timestamp) in list(self._waiting.items()):
                self._make_room(key)
                super().write_value(key, value, timestamp)
                del self._waiting[key]
        except OSError as error:
            self._next_try_at = time.monotonic() + PAUSE_S
            if not was_incomplete:
                self._say_incomplete(error)
            return
        self._next_try_at = 0.0
        if was_incomplete:
            self._say_complete()

    def _open(self) -> None:
        path = Path(self._fname)
        if not path.exists() or path.stat().st_size == 0:
            _create(path)
        try:
            super().__init__(self._fname)
            is_sound = 8 <= self._used <= self._capacity
        except (ValueError, RuntimeError, struct.error):
            is_sound = False
        if not is_sound:  # left by a killed process that had our number
            self.close()
            _create(path)
            super().__init__(self._fname)

    def _make_room(self, key: str) -> None:
        if self._f is None:
            self._open()
        needed, capacity = self._used + len(key.encode()) + VALUE_BYTES, self._capacity
        while capacity < needed:
            capacity *= 2
        if capacity > self._capacity:
            _extend(self._f.fileno(), self._capacity, capacity)
            self._m = mmap.mmap(self._f.fileno(), capacity)
            self._capacity = capacity

    def _say_incomplete(self, error: OSError) -> None:
        if sum(bool(file._waiting) for file in _files) == 1:
            logger.warning("metrics_incomplete", folder=os.path.dirname(self._fname), error=error.strerror)
        with contextlib.suppress(OSError):
            uncounted_note(os.path.dirname(self._fname), os.getpid()).touch()

    def _say_complete(self) -> None:
        if not any(file._waiting for file in _files):
            logger.info("metrics_complete_again", folder=os.path.dirname(self._fname))
            with contextlib.suppress(OSError):
                uncounted_note(os.path.dirname(self._fname), os.getpid()).unlink(missing_ok=True)


def install() -> None:
    """Let prometheus_client, which looks for its class by this name, keep the counts of this process so."""
    vars(values)["MmapedDict"] = CountsFile


def settle() -> None:
    """Write what has waited for room, if there is some by now."""
    for file in _files:
        file.settle()


def is_incomplete() -> bool:
    """Return True if others cannot read all that this process has counted."""
    return any(file.is_incomplete for file in _files)


def _create(path: Path) -> None:
    """Make a file of zeros, which nobody sees before it has its room."""
    staging = path.with_suffix(".new")
    try:
        with open(staging, "wb") as file:
            _extend(file.fileno(), 0, FIRST_BYTES)
        staging.replace(path)
    except OSError:
        staging.unlink(missing_ok=True)
        raise


def _extend(descriptor: int, size: int, new_size: int) -> None:
    """Write zeros up to the new size: every system takes room for them, or raises OSError."""
    room = os.fstatvfs(descriptor)
    has_limit = room.f_blocks > 0  # a tmpfs without one says 0
    if has_limit and room.f_bavail * room.f_frsize - (new_size - size) < RESERVE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if os.pwrite(descriptor, bytes(new_size - size), size) < new_size - size:
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
