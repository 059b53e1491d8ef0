"""The manager of the Procfile's processes."""

import signal

import honcho.manager

AS_ASKED = tuple(f" stopped (rc={status})\n" for status in (0, -signal.SIGTERM.value))  # by itself, or its shell


class Manager(honcho.manager.Manager):
    """honcho's manager (2.0.0), which by itself fails with a KeyError if it is stopped while processes are starting.

    It also says plainly that a process stopped, if it was asked to: honcho shows the signal like a failure's status.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_stop_delayed = False

    def terminate(self) -> None:
        """Stop all processes, as soon as the pids of all are known."""
        self._is_stop_delayed = not super()._all_started()
        if not self._is_stop_delayed:
            super().terminate()

    def _all_started(self) -> bool:
        if self._is_stop_delayed and super()._all_started():
            self.terminate()
        return bool(super()._all_started())

    def _system_print(self, data: str) -> None:
        if self._terminating and data.endswith(AS_ASKED):
            data = data.partition(" (rc=")[0] + "\n"
        super()._system_print(data)
