"""Running a program of a server to its end, with a time limit, a check for stops, and one line about a failure."""

import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import psutil

from embedded import processes

COMPLAINT = re.compile(r"(?:FATAL|PANIC|ERROR|fatal|error): +(.+)")
END_TIMEOUT_S = 5.0
SUSPEND_TIMEOUT_S = 1.0


class ServerError(Exception):
    """An embedded server could not be started or stopped; the message is one line with the cause."""


def never_stop() -> None:
    """Let a wait go on."""


def run(command: Sequence[str], *, timeout_s: float, check: Callable[[], None], **options: Any) -> None:
    """Run a program; end it and raise if it takes too long or `check` raises. A failure is a ServerError."""
    # A file, not a pipe: the server would inherit the pipe and keep its reader waiting.
    with tempfile.TemporaryFile() as output:
        # A session of its own, so that Ctrl-C in the terminal does not end it.
        process: subprocess.Popen[bytes] = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, **options
        )
        try:
            _wait(process, timeout_s, check)
        except BaseException:
            _end(process)
            raise
        output.seek(0)
        text = output.read().decode(errors="replace").strip()
    if process.returncode != 0:
        raise ServerError(f"{_name(command)} failed: {cause(text)}")


def cause(text: str) -> str:
    """Return the first error in a program's output, else its last line that is no hint."""
    found = COMPLAINT.search(text)
    lines = [line for line in text.splitlines() if not line.startswith(("DETAIL:", "HINT:"))]
    return found[1] if found else lines[-1] if lines else ""


def _wait(process: "subprocess.Popen[bytes]", timeout_s: float, check: Callable[[], None]) -> None:
    deadline = time.monotonic() + timeout_s
    while process.poll() is None:
        check()
        if time.monotonic() > deadline:
            raise ServerError(f"{_name(process.args)} has not ended after {timeout_s:g} s")
        time.sleep(0.01)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a program and its descendants; it is suspended first, so that it starts no more of them."""
    main = psutil.Process(process.pid)
    main.suspend()
    deadline = time.monotonic() + SUSPEND_TIMEOUT_S
    while main.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE) and time.monotonic() < deadline:
        time.sleep(0.01)
    members = processes.group_members(process.pid)
    process.kill()
    processes.stop_all(members, timeout_s=END_TIMEOUT_S)
    process.wait()


def _name(command: Any) -> str:
    return str(command[0]).rpartition("/")[2]
