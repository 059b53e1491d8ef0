"""Recognise and stop processes of this or an earlier run, never a stranger that got their number."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from typing import TypedDict

import psutil

CREATED_TOLERANCE_SECONDS = 2.0


class Record(TypedDict):
    """Name a process beyond its number: numbers are used again, start times are not."""

    pid: int
    created: float


def record(pid: int) -> Record | None:
    """Describe a running process so that a later run can recognise it."""
    try:
        return {"pid": pid, "created": psutil.Process(pid).create_time()}
    except psutil.NoSuchProcess:
        return None


def find(known: Record) -> psutil.Process | None:
    """Return the recorded process if that very process still runs."""
    process = _same_number(known)
    return process if process is not None and _is_same(process, known) and is_alive(process) else None


def is_alive(process: psutil.Process) -> bool:
    """Say whether the process runs; a zombie does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def stop_all(members: Iterable[psutil.Process], *, timeout_s: float) -> None:
    """Ask these processes to end, and kill those that have not after the time-out."""
    members = list(members)
    for number, patience_s in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, 5.0)):
        for member in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.send_signal(signal.SIGCONT)  # a suspended process would not hear the next one
                member.send_signal(number)
        members = _wait(members, patience_s)


def leaders_below(pid: int) -> list[int]:
    """Return the numbers of those processes below this one that lead a process group of their own."""
    return [child.pid for child in _children(pid) if _group_of(child.pid) == child.pid]


def group_left_by(known: Record) -> list[psutil.Process]:
    """Return what still runs of the group that the recorded process led, whether or not it does itself."""
    process = _same_number(known)
    if process is not None and not _is_same(process, known):
        return []  # the number belongs to a stranger now
    return group_members(known["pid"])


def group_members(group: int) -> list[psutil.Process]:
    """Return the processes of a group, and all below them."""
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
        return abs(process.create_time() - known["created"]) <= CREATED_TOLERANCE_SECONDS
    except psutil.NoSuchProcess:
        return False


def _wait(members: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Return what still runs at the time-out; not psutil's wait, for which a zombie still runs."""
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
