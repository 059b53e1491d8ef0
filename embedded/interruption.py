"""Stop signals as an exception that is raised only at safe moments."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequestedError(BaseException):
    """This process was asked to stop."""


class Interruption:
    """A handler that raises StopRequestedError on a stop signal, at once or at the end of a shielded block."""

    def __init__(self) -> None:
        self._shielded = False
        self._requested = False

    def install(self) -> None:
        """Install the handler for all stop signals."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._handle)

    def ignore(self) -> None:
        """Ignore further stop signals during a stop."""
        self._requested = False
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    @contextlib.contextmanager
    def shielded(self) -> Iterator[None]:
        """Delay a stop until the block ends or calls check(), since a half-started server cannot be stopped."""
        self._shielded = True
        try:
            yield
        finally:
            self._shielded = False
        if self._requested:
            raise StopRequestedError

    def check(self) -> None:
        """Raise a delayed stop, at a point of a shielded block where the block can end and clean up."""
        if self._requested:
            raise StopRequestedError

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._requested = True
        if not self._shielded:
            raise StopRequestedError
