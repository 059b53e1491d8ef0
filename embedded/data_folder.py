"""Keep what `make run` needs from one start to the next, in the data folder."""

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
    """Keep the files of one `make run`; only one may use a folder at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock: IO[str] | None = None

    def acquire(self) -> bool:
        """Create the folder and take its lock, which ends with this process however it ends."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = open(self.path / "lock", "a")  # noqa: SIM115  (held until the process ends)
        try:
            # Not flock: children forked from here would go on holding it after a kill -9.
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def write_environment(self, urls: dict[str, str], embedded: list[str]) -> None:
        """Tell the commands of other shells which servers are in use, and where the service is."""
        lines = [f"{name}={url}" for name, url in urls.items()]
        # config refuses these in production.
        lines.append(f"EMBEDDED_SERVERS={','.join(embedded)}")
        write_private(self.path / "env", "\n".join(lines) + "\n")

    def forget_environment(self) -> None:
        """Remove the URLs of servers that are gone, so that a command says what to do instead of failing."""
        (self.path / "env").unlink(missing_ok=True)

    def cron_secret(self) -> str:
        """Return the cron secret of this folder, made at the first start."""
        path = self.path / "cron_secret"
        with contextlib.suppress(OSError):
            known = path.read_text().strip()
            if len(known) >= config.MIN_SECRET_LENGTH:
                return known
        secret = secrets.token_urlsafe(24)
        write_private(path, secret + "\n")
        return secret

    def remember_processes(self, pids: list[int]) -> None:
        """Note what was started, so that the next start can clear up after a kill -9."""
        known = [found for pid in pids if (found := processes.record(pid)) is not None]
        write_private(self.path / "processes.json", json.dumps(known))

    def leftovers(self) -> list[psutil.Process]:
        """Return the processes of an earlier run that still run."""
        try:
            known = json.loads((self.path / "processes.json").read_text())
            return [process for entry in known for process in processes.group_left_by(entry)]
        except (OSError, ValueError, TypeError, KeyError):
            return []

    def forget_processes(self) -> None:
        """Forget what was started, after it has ended."""
        (self.path / "processes.json").unlink(missing_ok=True)
