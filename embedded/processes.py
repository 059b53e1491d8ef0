"""Recognising and stopping the processes of this or an earlier run, but never another program with a reused pid."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from typing import TypedDict

import psutil

CREATED_TOLERANCE_S = 2.0


class Record(TypedDict):
    """The identity of a process: its pid and start time, since pids are reused."""

    pid: int
    created: float


def record(pid: int) -> Record | None:
    """Return the identity of a running process, or None if it has ended."""
    try:
        return {"pid": pid, "created": psutil.Process(pid).create_time()}
    except psutil.NoSuchProcess:
        return None


def find(known: Record) -> psutil.Process | None:
    """Return the recorded process if that very process is still running."""
    process = _same_number(known)
    return process if process is not None and _is_same(process, known) and is_alive(process) else None


def is_alive(process: psutil.Process) -> bool:
    """Return True if the process is running and no zombie."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def stop_all(members: Iterable[psutil.Process], *, timeout_s: float) -> None:
    """Ask these processes to end, and kill those still running after the time-out."""
    members = list(members)
    for number, patience_s in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, 5.0)):
        for member in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGCONT)  # a suspended process would not handle the next one
                member.send_signal(number)
        members = _wait(members, patience_s)


def leaders_below(pid: int) -> list[int]:
    """Return the pids of this process's descendants that lead a process group."""
    return [child.pid for child in _children(pid) if _group_of(child.pid) == child.pid]


def group_left_by(known: Record) -> list[psutil.Process]:
    """Return the running processes of the group that the recorded process led, even if it has ended itself."""
    process = _same_number(known)
    if process is not None and not _is_same(process, known):
        return []  # the pid belongs to another program now
    return group_members(known["pid"])


def group_members(group: int) -> list[psutil.Process]:
    """Return the running processes of a group, and their descendants."""
    members = {pid for pid in psutil.pids() if _group_of(pid) == group}
    below = {child for pid in members for child in _children(pid)}
    return [process for process in {*_existing(members), *below} if is_alive(process)]


def _same_number(known: Record) -> psutil.Process | None:
    try:
        return psutil.Process(known["pid"])
    except psutil.NoSuchProcess:
        return None


def _is_same(process: psutil.Process, known: Record) -> bool:
    try:
        return abs(process.create_time() - known["created"]) <= CREATED_TOLERANCE_S
    except psutil.NoSuchProcess:
        return False


def _wait(members: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Return the processes still running at the time-out; psutil's own wait counts a zombie as running."""
    deadline = time.monotonic() + timeout_s
    while (alive := [member for member in members if is_alive(member)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return alive


def _existing(pids: set[int]) -> list[psutil.Process]:
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid))
    return found


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return None
