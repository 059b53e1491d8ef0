"""The manager of the Procfile's processes."""

import honcho.manager


class Manager(honcho.manager.Manager):
    """honcho's manager (2.0.0), which by itself fails with a KeyError if it is stopped while processes are starting."""

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
