"""The data folder, which keeps the state of `make run` from one start to the next."""

import contextlib
import fcntl
import json
import secrets
from pathlib import Path
from typing import IO

import psutil

import config
from embedded import processes
from embedded.seed import write_private


class DataFolder:
    """The files of one `make run`; only one may use a folder at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock: IO[str] | None = None

    def acquire(self) -> bool:
        """Create the folder and take its lock until this process ends; return False if another process has it."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = open(self.path / "lock", "a")  # noqa: SIM115  (held until the process ends)
        try:
            # Not flock: forked children would keep holding it after a kill -9.
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def write_environment(self, settings: dict[str, str], embedded: list[str]) -> None:
        """Write the URLs and the number of buckets to `env`, for commands in other shells."""
        lines = [f"{name}={value}" for name, value in settings.items()]
        # config refuses these in production.
        lines.append(f"EMBEDDED_SERVERS={','.join(embedded)}")
        write_private(self.path / "env", "\n".join(lines) + "\n")

    def forget_environment(self) -> None:
        """Delete `env` after the servers have stopped, so that commands name the missing setting."""
        (self.path / "env").unlink(missing_ok=True)

    def cron_secret(self) -> str:
        """Return the cron secret of this folder, created at the first start."""
        path = self.path / "cron_secret"
        with contextlib.suppress(OSError):
            known = path.read_text().strip()
            if len(known) >= config.MIN_SECRET_LENGTH:
                return known
        secret = secrets.token_urlsafe(24)
        write_private(path, secret + "\n")
        return secret

    def remember_processes(self, pids: list[int]) -> None:
        """Record the started processes, so that the next start can stop them after a kill -9."""
        known = [found for pid in pids if (found := processes.record(pid)) is not None]
        write_private(self.path / "processes.json", json.dumps(known))

    def leftovers(self) -> list[psutil.Process]:
        """Return the processes of an earlier run that are still running."""
        try:
            known = json.loads((self.path / "processes.json").read_text())
            return [process for entry in known for process in processes.group_left_by(entry)]
        except (OSError, ValueError, TypeError, KeyError):
            return []

    def forget_processes(self) -> None:
        """Delete the record of started processes, after they have ended."""
        (self.path / "processes.json").unlink(missing_ok=True)
