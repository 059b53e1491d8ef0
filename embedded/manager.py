"""Run the Procfile's commands side by side."""

import honcho.manager


class Manager(honcho.manager.Manager):
    """honcho's manager (2.0.0), whose own fails with a KeyError when a stop comes while its processes are starting."""

    def __init__(self) -> None:
        super().__init__()
        self._has_put_off_a_stop = False

    def terminate(self) -> None:
        """Stop all processes, once all of them have told their numbers."""
        self._has_put_off_a_stop = not super()._all_started()
        if not self._has_put_off_a_stop:
            super().terminate()

    def _all_started(self) -> bool:
        if self._has_put_off_a_stop and super()._all_started():
            self.terminate()
        return bool(super()._all_started())
