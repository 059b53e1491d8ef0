"""Profiles: processor time by process, samples of the functions of a process, and the activity of the server."""

import contextlib
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import psutil
import psycopg2

from bench.services import Services
from models.database import fetch_one, session

SAMPLES_PER_SECOND = 200
ACTIVITY_PAUSE_S = 0.02
STATISTICS_PAUSE_S = 1.1  # the server's processes publish their counters once a second
TOP = 12
LEAST_PERCENT = 1.0
WITH_MANY_THREADS = ("worker", "sweeping process")
ACTIVITY = """
SELECT state, wait_event_type, wait_event, query FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'
"""
# The amounts that the server has written to its log (WAL) and read into its buffers since its start.
LOGGED = """
SELECT wal_bytes / 1000 AS "kB of log", wal_fpi AS "whole pages in it",
       (SELECT sum(reads) FROM pg_stat_io WHERE object = 'relation') AS "pages read"
FROM pg_stat_wal
"""
FRAME = re.compile(r"(.+) \((.+?)(?::\d+)?\)$")
OBJECT = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+(?:\w+\.)?(\w+)", re.IGNORECASE)


@dataclass
class Profile:
    """The profile of a repetition of a figure's work."""

    title: str
    cores: dict[str, float] = field(default_factory=dict)
    functions: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    packages: dict[str, list[tuple[str, float]]] = field(default_factory=dict)
    server: list[tuple[str, float]] = field(default_factory=list)
    log: dict[str, float] = field(default_factory=dict)  # per second
    steps: dict[str, list[tuple[str, float]]] = field(default_factory=dict)  # milliseconds
    json_percent: float | None = None
    remarks: list[str] = field(default_factory=list)


@contextlib.contextmanager
def profiled(
    profile: Profile, services: Services, targets: dict[str, psutil.Process], seconds: float, folder: Path
) -> Iterator[Profile]:
    """Profile processes (by role), the server and the machine while the block works for this many seconds."""
    logged = _logged()
    spies = {
        what: _spy(what, process.pid, seconds, folder / f"{profile.title}-{what}.raw")
        for what, process in targets.items()
    }
    begun, used = time.monotonic(), processor_s(services)
    activity: Counter[str] = Counter()
    done = threading.Event()
    watcher = threading.Thread(target=_watch_activity, args=(services.database_url, activity, done))
    watcher.start()
    try:
        yield profile
    finally:
        took_s = time.monotonic() - begun
        now = processor_s(services)
        done.set()
        watcher.join()
        profile.log = {what: (count - logged[what]) / took_s for what, count in _logged().items()}
        profile.cores = {what: (now[what] - used[what]) / took_s for what in now}
        profile.server = _shares(activity)
        for what, (spy, path) in spies.items():
            _, error = spy.communicate(timeout=60)
            if spy.returncode != 0:
                profile.remarks.append(f"py-spy could not watch {what}: {error.strip().splitlines()[-1]}")
            else:
                _read(profile, what, path)


def processor_s(services: Services) -> dict[str, float]:
    """Return the processor time so far by role, in seconds."""
    used = {}
    for what, roots in _roots(services).items():
        members = {member for root in roots for member in (root, *root.children(recursive=True))}
        used[what] = sum(_processor_s(member) for member in members)
    return used


def _logged() -> dict[str, float]:
    time.sleep(STATISTICS_PAUSE_S)
    with session():
        row = fetch_one(LOGGED)
    assert row is not None
    return {what: float(count) for what, count in row.items()}


def _roots(services: Services) -> dict[str, list[psutil.Process]]:
    workers = [one for one in services.starter.started if one is not services.web and one.is_running]
    with session():
        backend = fetch_one("SELECT pg_backend_pid() AS pid")
    assert backend is not None
    return {
        "web": [psutil.Process(services.web.pid)],
        "worker": [psutil.Process(worker.pid) for worker in workers],
        "PostgreSQL": [psutil.Process(psutil.Process(backend["pid"]).ppid())],
        "Valkey": [psutil.Process(services.redis.info("server")["process_id"])],
    }


def _processor_s(process: psutil.Process) -> float:
    with contextlib.suppress(psutil.Error):
        return float(sum(process.cpu_times()[:2]))
    return 0.0


def _spy(what: str, pid: int, seconds: float, path: Path) -> tuple[subprocess.Popen[str], Path]:
    program = Path(sys.executable).with_name("py-spy")
    command = [str(program), "record", "--pid", str(pid), "--duration", str(max(1, round(seconds)))]
    command += ["--rate", str(SAMPLES_PER_SECOND), "--format", "raw", "--function", "--output", str(path)]
    if what in WITH_MANY_THREADS:  # waiting threads may look busy: sample the running one
        command.append("--gil")
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True), path


def _read(profile: Profile, what: str, path: Path) -> None:
    """Count a process's samples by innermost function, by package, and within JSON output."""
    functions: Counter[str] = Counter()
    packages: Counter[str] = Counter()
    json_samples = 0
    for line in path.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [_frame(frame) for frame in stack.split(";")]
        name, file = frames[-1]
        functions[f"{name} ({file})"] += int(count)
        packages[_package(file)] += int(count)
        if any(name in ("encode", "iterencode", "dumps") and "json" in file for name, file in frames):
            json_samples += int(count)
    profile.functions[what], profile.packages[what] = _shares(functions), _shares(packages)
    if what == "web" and functions:
        profile.json_percent = 100 * json_samples / functions.total()


def _frame(text: str) -> tuple[str, str]:
    found = FRAME.match(text)
    return (found[1], found[2]) if found else (text, "")


def _package(file: str) -> str:
    return file.split("/")[0].removesuffix(".py") or "the interpreter"


def _shares(counts: Counter[str]) -> list[tuple[str, float]]:
    total = counts.total() or 1
    shares = [(name, 100 * count / total) for name, count in counts.most_common(TOP)]
    return [(name, share) for name, share in shares if share >= LEAST_PERCENT]


def _watch_activity(database_url: str, activity: Counter[str], done: threading.Event) -> None:
    connection = psycopg2.connect(database_url)
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        while not done.wait(ACTIVITY_PAUSE_S):
            cursor.execute(ACTIVITY)
            for state, wait_type, wait, query in cursor.fetchall():
                doing = (
                    "waiting for its client"
                    if state != "active"
                    else f"{wait_type}: {wait}"
                    if wait_type
                    else "working"
                )
                activity[f"{statement(query)}: {doing}"] += 1


def statement(query: str) -> str:
    """Return a statement as its verb and its table."""
    found = OBJECT.search(query)
    verb = query.split(maxsplit=1)[0].upper() if query.strip() else "nothing"
    return f"{verb} {found[1]}" if found else verb


def mean_steps(timings: list[str]) -> list[tuple[str, float]]:
    """Return the mean of each step of Server-Timing headers, in milliseconds."""
    lengths: dict[str, list[float]] = {}
    for timing in timings:
        for step in timing.split(", "):
            name, _, length = step.partition(";dur=")
            if length:
                lengths.setdefault(name, []).append(float(length))
    return [(name, fmean(values)) for name, values in lengths.items()]
