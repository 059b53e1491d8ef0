"""Real processes of the Procfile's commands, and helpers that wait for them."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
from honcho.environ import parse_procfile

from embedded import local_http, processes

ROOT = Path(__file__).resolve().parents[2]
# structlog and redis load these wherever they find them, which is a seventh of the processor time of a start.
NOT_DEPLOYED = Path(__file__).with_name("not_deployed")


def free_port() -> int:
    """Return a free TCP port of 127.0.0.1, below the range from which systems take the ports of connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def dead_proxies() -> dict[str, str]:
    """Return proxy variables for every scheme that name a proxy which does not run."""
    proxy = f"http://127.0.0.1:{free_port()}"
    names = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    return {**dict.fromkeys(names, proxy), "no_proxy": "", "NO_PROXY": ""}


def wait_until(condition: Callable[[], Any], *, timeout_s: float = 20.0, what: str | Callable[[], str] = "") -> Any:
    """Return the first true result of the condition; fail when there is none within the time-out.

    what says what is awaited, or returns it at the failure.
    """
    deadline = time.monotonic() + timeout_s
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what() if callable(what) else what or condition}")
        time.sleep(0.02)
    return answer


def command_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of this process with the venv's programs on PATH and these settings."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return as_deployed({**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **settings})


def as_deployed(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which Python finds no package that is not deployed.

    OpenTelemetry is found if its variables are set: who wants traces installs it.
    """
    paths = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path != str(NOT_DEPLOYED)]
    if not any(name.startswith("OTEL_") for name in environment):
        paths.insert(0, str(NOT_DEPLOYED))
    return {**environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


class Running:
    """A running command of the Procfile in its own process group; its output goes to a file."""

    def __init__(
        self,
        command: str,
        environment: Mapping[str, str],
        log_path: Path,
        port: int | None = None,
        root: Path = ROOT,
    ) -> None:
        self.command = command
        self.log_path = log_path
        self.port = port
        with open(log_path, "ab") as log:
            # exec, so that the process id is the program's and not its shell's.
            self._popen = subprocess.Popen(
                f"exec {command}",
                shell=True,
                cwd=root,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Return the id of the main process."""
        return self._popen.pid

    @property
    def base_url(self) -> str:
        """Return the URL of a web process."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """Return the whole output of the processes."""
        return self.log_path.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        """Return True if the main process runs."""
        return self._popen.poll() is None

    def children(self) -> list[psutil.Process]:
        """Return the processes below the main one."""
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def signal(self, number: int) -> None:
        """Send a signal to the main process only."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def signal_all(self, number: int) -> None:
        """Send a signal to every process of the group, as Heroku stops a dyno."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def wait(self, timeout_s: float = 30.0) -> int:
        """Wait for the main process and return its exit status."""
        return self._popen.wait(timeout_s)

    def terminate(self, timeout_s: float = 30.0) -> int:
        """Send SIGTERM to every process of the group, as Heroku stops a dyno, and return the exit status."""
        self.signal_all(signal.SIGTERM)
        return self.wait(timeout_s)

    def kill(self) -> None:
        """Kill every process of the group and their children."""
        members = processes.group_members(self.pid)
        self.signal_all(signal.SIGKILL)
        for member in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        self._popen.wait(10)

    def wait_until_ready(self, timeout_s: float = 40.0) -> "Running":
        """Wait until the web process answers /health/live with 200."""
        wait_until(self._is_live, timeout_s=timeout_s, what=f"{self.command} is live\n{self.log}")
        return self

    def wait_for_log(self, text: str, timeout_s: float = 40.0) -> "Running":
        """Wait until the processes have written this text."""
        wait_until(lambda: text in self.log, timeout_s=timeout_s, what=f"{text!r} in the log\n{self.log}")
        return self

    def _is_live(self) -> bool:
        if not self.is_running:
            raise AssertionError(f"{self.command} ended with {self._popen.returncode}:\n{self.log}")
        try:
            with local_http.open_url(f"{self.base_url}/health/live", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class ProcessStarter:
    """A starter of the processes of a checkout's Procfile, which also stops those that still run."""

    def __init__(self, environment: Mapping[str, str], folder: Path, root: Path = ROOT) -> None:
        self.environment = dict(environment)
        self.folder = folder
        self.root = root
        self.prefix = ""  # stands before each command, for example "unshare --net "
        self.started: list[Running] = []

    def web(self, **settings: str) -> Running:
        """Start the web command on a free port and wait until it answers."""
        port = free_port()
        return self._start("web", {"PORT": str(port), **settings}, port=port).wait_until_ready()

    def worker(self, **settings: str) -> Running:
        """Start the worker command and wait until it is ready for messages."""
        return self._start("worker", settings).wait_for_log("ready for action")

    def stop(self) -> None:
        """Kill the processes that still run."""
        for running in self.started:
            running.kill()

    def _start(self, name: str, settings: Mapping[str, str], *, port: int | None = None) -> Running:
        log_path = self.folder / f"{name}-{len(self.started)}.log"
        command = self.prefix + dict(parse_procfile((self.root / "Procfile").read_text()).processes)[name]
        environment = as_deployed({**self.environment, **settings})
        running = Running(command, environment, log_path, port=port, root=self.root)
        self.started.append(running)
        return running
