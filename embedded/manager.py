"""The manager of the Procfile's processes."""

import honcho.manager


class Manager(honcho.manager.Manager):
    """honcho's manager (2.0.0), which by itself fails with a KeyError if it is stopped while processes are starting."""

    def __init__(self) -> None:
        super().__init__()
        self._has_put_off_a_stop = False

    def terminate(self) -> None:
        """Stop all processes, as soon as the pids of all are known."""
        self._has_put_off_a_stop = not super()._all_started()
        if not self._has_put_off_a_stop:
            super().terminate()

    def _all_started(self) -> bool:
        if self._has_put_off_a_stop and super()._all_started():
            self.terminate()
        return bool(super()._all_started())
