"""Turn the signals that ask a process to stop into an exception, at moments of our choosing."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequestedError(BaseException):
    """Someone asked this process to stop."""


class Interruption:
    """Raise StopRequestedError on a stop signal, at once or at the end of a shielded block."""

    def __init__(self) -> None:
        self._shielded = False
        self._requested = False

    def install(self) -> None:
        """Take over the stop signals."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._handle)

    def ignore(self) -> None:
        """Let nothing disturb the stop that is under way."""
        self._requested = False
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    @contextlib.contextmanager
    def shielded(self) -> Iterator[None]:
        """Put a stop off until the block has ended or checks: what is half started could not be stopped."""
        self._shielded = True
        try:
            yield
        finally:
            self._shielded = False
        if self._requested:
            raise StopRequestedError

    def check(self) -> None:
        """Raise a stop that was put off, where a shielded block can end: it waits, and clears up what it began."""
        if self._requested:
            raise StopRequestedError

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._requested = True
        if not self._shielded:
            raise StopRequestedError
