"""`make run` on a data folder of its own."""

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from embedded import processes
from tests.support.processes import Running, as_deployed, free_port

UNSET = (
    "DATABASE_URL",
    "REDIS_URL",
    "CRON_SECRET",
    "TRADEPOST_ENV",
    "ORDER_DISPATCH",
    "MARKET_CALENDAR",
    "SHARDS",
    "SIMULATOR",
)


class Runs:
    """Runs of `make run` on one data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.port = free_port()
        self.started: list[Running] = []

    def launch(self, **settings: str) -> Running:
        inherited = {name: value for name, value in os.environ.items() if name not in UNSET}
        environment = inherited | {"DATA_DIR": str(self.data_dir), "PORT": str(self.port), "WEB_CONCURRENCY": "1"}
        command = f"{shlex.quote(sys.executable)} -m embedded.run"
        log_path = self.folder / f"run-{len(self.started)}.log"
        running = Running(command, as_deployed(environment | settings), log_path, self.port)
        self.started.append(running)
        return running

    def stop(self) -> None:
        for running in self.started:
            running.kill()
        processes.stop_all(self.processes(), timeout_s=5)

    def processes(self) -> list[psutil.Process]:
        """Return the processes with this data folder in their environment or as their working directory."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            ours = process.environ().get("DATA_DIR") == str(self.data_dir) or process.cwd().startswith(
                str(self.data_dir)
            )
            return ours and processes.is_alive(process)
        except psutil.Error:
            return False


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    runs = Runs(tmp_path)
    yield runs
    runs.stop()
