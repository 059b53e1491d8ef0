"""The files in which a process keeps its counts, with disk space reserved before it is used.

prometheus_client extends such a file without reserving space and maps it into memory. On a full file system (a
container's /dev/shm has 64 MB by default) the first write to a page without space is a SIGBUS, which ends the process.
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
# Left free by the counts: Dramatiq keeps semaphores in /dev/shm too, and a worker does not start without them.
RESERVE_BYTES = 2**20
PAUSE_S = 1.0

logger = get_logger(__name__)

_files: "list[CountsFile]" = []


class CountsFile(MmapedDict):
    """prometheus_client's file of counts; values without space in the file wait in memory until there is some.

    The library (0.26.0, values.py) always writes a whole value, so a value that is written late is still right.
    """

    def __init__(self, filename: str) -> None:
        self._fname = filename
        self._f: Any = None
        self._m: Any = None
        self._positions: dict[str, int] = {}
        self._waiting: dict[str, tuple[float, float]] = {}
        self._next_try_at = 0.0
        self._lock = threading.Lock()  # the library's own lock excludes every caller but settle()
        _files.append(self)
        with contextlib.suppress(OSError):  # the first value tries again, and logs the failure
            self._open()

    @property
    def is_incomplete(self) -> bool:
        """Return True if the file lacks a value or has been deleted."""
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
        """Write a value, or keep it until there is space."""
        position = self._positions.get(key)
        if position is not None:  # as the library does, without its 7 µs a placement
            self._m[position : position + VALUE.size] = VALUE.pack(value, timestamp)
            return
        with self._lock:
            self._waiting[key] = (value, timestamp)
            self._write_waiting()

    def settle(self) -> None:
        """Write the waiting values if there is space by now."""
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
        if not is_sound:  # left by a killed process with the same pid
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
    """Make prometheus_client use CountsFile, which it looks up as MmapedDict in its module `values`."""
    vars(values)["MmapedDict"] = CountsFile


def settle() -> None:
    """Write the waiting values of all files if there is space by now."""
    for file in _files:
        file.settle()


def is_incomplete() -> bool:
    """Return True if others cannot read all counts of this process."""
    return any(file.is_incomplete for file in _files)


def _create(path: Path) -> None:
    """Create a file of zeros that appears only when its space is reserved."""
    staging = path.with_suffix(".new")
    try:
        with open(staging, "wb") as file:
            _extend(file.fileno(), 0, FIRST_BYTES)
        staging.replace(path)
    except OSError:
        staging.unlink(missing_ok=True)
        raise


def _extend(descriptor: int, size: int, new_size: int) -> None:
    """Write zeros up to the new size, which reserves the space on every system or raises OSError."""
    room = os.fstatvfs(descriptor)
    has_limit = room.f_blocks > 0  # a tmpfs without one reports 0
    if has_limit and room.f_bavail * room.f_frsize - (new_size - size) < RESERVE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if os.pwrite(descriptor, bytes(new_size - size), size) < new_size - size:
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
