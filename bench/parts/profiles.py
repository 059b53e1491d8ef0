"""Profiles of the figures: each figure's work is repeated under a profiler, separate from its measurement."""

import os
import time
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import Any

import psutil

from bench.clients.load import CONNECTIONS, Load
from bench.door_to_socket import LOG_LINE, LOG_STEP
from bench.parts.backlog import fill, sweep_rate
from bench.parts.placement import PACED_RATE, Bench
from bench.parts.prompt import PAUSE_S, Side, heard
from bench.profiling import Profile, mean_steps, profiled
from bench.seeding import ACCOUNTS
from tests.support.processes import Running
from trading.execution.sweeping import MAX_BATCH

TITLES = {
    "placements": "Placements, 16 connections, 1,000 accounts",
    "placements_one_account": "Placements, 16 connections, one account",
    "tail": "Placement latency at half that load",
    "placed_and_executed": "Placed and executed",
    "worker_beside_paced": "The 202 at 1 connection, 100 orders/s, the worker running",
    "worker_beside": "The 202 at 1 connection, unpaced, the worker running",
    "accepted_to_executed": "Accepted → EXECUTED, idle system",
    "idle": "An idle worker",
    "sweeping": "Sweeping",
    "start": "Start of `make run`",
}


def under_load(bench: Bench, folder: Path, *, seconds: float, half_rate: float, pending: int) -> dict[str, Profile]:
    """Return the profiles of the figures that are measured on one busy service, by figure."""
    web = bench.services.web.children()[0]
    profiles = {}

    def place(name: str, accounts: int) -> Load:
        with profiled(Profile(name), bench.services, {"web": web}, seconds, folder) as profile:
            load = bench.place(accounts=accounts, connections=CONNECTIONS, seconds=seconds)
        profile.steps["Server-Timing, mean"] = mean_steps(load.timings)
        profiles[name] = profile
        bench.services.settle()
        return load

    place("placements", ACCOUNTS)
    place("placements_one_account", 1)
    profiles["tail"] = _tail(bench, web, folder, seconds, half_rate)
    for name, connections, rate in (
        ("placed_and_executed", CONNECTIONS, None),
        ("worker_beside_paced", 1, PACED_RATE),
        ("worker_beside", 1, None),
    ):
        profiles[name] = _beside_the_worker(Profile(name), bench, web, folder, seconds, connections, rate)
    profiles["sweeping"] = _sweeping(bench, folder, seconds, pending)
    return profiles


def _beside_the_worker(
    profile: Profile,
    bench: Bench,
    web: psutil.Process,
    folder: Path,
    seconds: float,
    connections: int,
    rate: float | None,
) -> Profile:
    worker = bench.services.start_worker(LOG_FORMAT="json")
    targets = {"web": web, "worker": _working(worker)}
    with profiled(profile, bench.services, targets, seconds, folder):
        load = bench.place(accounts=ACCOUNTS, connections=connections, rate=rate, seconds=seconds)
    worker.terminate()
    profile.steps["Server-Timing, mean"] = mean_steps(load.timings)
    profile.steps["execution's steps by the worker's log, mean of an order's batch"] = _execution_steps(worker)
    bench.services.settle()
    return profile


def _tail(bench: Bench, web: psutil.Process, folder: Path, seconds: float, half_rate: float) -> Profile:
    with profiled(Profile("tail"), bench.services, {"web": web}, seconds, folder) as profile:
        load = bench.pace(accounts=ACCOUNTS, connections=CONNECTIONS, rate=half_rate, seconds=seconds)
    middle, slow = median(load.latencies_ms), quantiles(load.latencies_ms, n=20, method="inclusive")[-1]
    pairs = list(zip(load.latencies_ms, load.timings, strict=True))
    for what, timings in (
        ("Server-Timing of the faster half, mean", [timing for latency, timing in pairs if latency <= middle]),
        ("Server-Timing of the slowest twentieth, mean", [timing for latency, timing in pairs if latency >= slow]),
    ):
        profile.steps[what] = mean_steps(timings)
    profile.remarks.append(
        f"The client saw {fmean(value for value in load.latencies_ms if value <= middle):.1f} ms in the faster half"
        f" and {fmean(value for value in load.latencies_ms if value >= slow):.1f} ms in the slowest twentieth."
    )
    bench.services.settle()
    return profile


def _sweeping(bench: Bench, folder: Path, seconds: float, pending: int) -> Profile:
    bench.placed += fill(pending)
    own = psutil.Process(os.getpid())
    with profiled(Profile("sweeping"), bench.services, {"sweeping process": own}, seconds, folder) as profile:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            sweep_rate(1, limit=MAX_BATCH)
    bench.services.settle()
    return profile


def when_idle(side: Side, folder: Path, *, seconds: float) -> dict[str, Profile]:
    """Return the profiles of a worker without orders and of one with an occasional order."""
    worker = _working(side.worker)
    side.services.use()
    with (
        profiled(Profile("idle"), side.services, {"idle worker": worker}, seconds, folder) as idle,
        heard(side) as counts,
    ):
        time.sleep(seconds)
    idle.steps["Redis commands sent per second"] = [(name, count / seconds) for name, count in counts.most_common()]
    seen = len(side.worker.log)
    with profiled(Profile("accepted_to_executed"), side.services, {"idle worker": worker}, seconds, folder) as prompt:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            side.place()
            time.sleep(PAUSE_S)
    time.sleep(PAUSE_S)
    steps = _execution_steps(side.worker, since=seen)
    took_ms = fmean(side.delays_ms()[-max(1, side.worker.log[seen:].count('"order_executed"')) :])
    inside = sum(length for name, length in steps if name != "commit")
    prompt.steps["accepted → EXECUTED, mean"] = [("commit, answer, dispatch", took_ms - inside), *steps]
    return {"accepted_to_executed": prompt, "idle": idle}


def _execution_steps(worker: Running, since: int = 0) -> list[tuple[str, float]]:
    """Return the mean milliseconds of the execution steps in the worker's log."""
    lengths: dict[str, list[float]] = {}
    for line in worker.log[since:].splitlines():
        if LOG_LINE.search(line):
            for name, length in LOG_STEP.findall(line):
                lengths.setdefault(name, []).append(float(length))
    return [(name, fmean(values)) for name, values in lengths.items()]


def _working(worker: Running) -> psutil.Process:
    """Return the process that executes the orders: the one with the most threads."""
    return max(worker.children(), key=lambda process: process.num_threads())


def text(profiles: dict[str, dict[str, Any]], *, level: int = 2) -> str:
    """Return profiles (in the form of asdict) as Markdown, with titles of a level."""
    found = [_section(f"{'#' * level} {TITLES[name]}", profiles[name]) for name in TITLES if name in profiles]
    return "\n\n".join(found)


def _section(title: str, profile: dict[str, Any]) -> str:
    lines = [title, ""]
    if profile["cores"]:
        lines.append("- processor, in cores: " + _listed(profile["cores"].items(), "{:.2f}", least=0.005))
    for what, steps in profile["steps"].items():
        lines.append(f"- {what}: " + _listed(steps, "{:.2f}"))
    for what in profile["functions"]:
        lines.append(f"- {what}, self time by package: " + _listed(profile["packages"][what], "{:.0f} %"))
        lines.append(f"- {what}, self time by function: " + _listed(profile["functions"][what], "{:.1f} %", code=True))
    if profile["json_percent"] is not None:
        lines.append(f"- web, in JSON's output: {profile['json_percent']:.1f} %")
    if log := profile.get("log"):
        lines.append("- the server's log and pages, per second: " + _listed(log.items(), "{:,.0f}"))
    if profile["server"]:
        lines.append("- activity of the server's busy connections: " + _listed(profile["server"], "{:.0f} %"))
    return "\n".join([*lines, *(f"- {remark}" for remark in profile["remarks"])])


def _listed(pairs: Any, form: str, *, least: float = 0.0, code: bool = False) -> str:
    mark = "`" if code else ""
    return ", ".join(f"{mark}{name}{mark} {form.format(value)}" for name, value in pairs if value >= least)
