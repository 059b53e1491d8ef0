"""The series that `make faults` measures after the soak, each on its own system."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.faults.checks import DRAIN_RATE, answered, drain, execution_times, find_leftovers, find_problems
from tests.faults.machine import Machine
from tests.faults.series import emptied_redis_drains, series_of_stops
from tests.faults.system import System
from tests.faults.workload import Workload

WITHOUT_REDIS_S = 30.0
STOP_S = 25.0
EXECUTED_P99_S = 2.0


class Measured(NamedTuple):
    """A line of the report, and the requirements in it that were not reached."""

    line: str
    missed: list[str]


def measured_series(machine: Machine, folder: Path, seed: int, backlog: int, stops: int) -> Iterator[Measured]:
    """Measure each series after the other."""
    with own_system(machine, folder / "drain", WEB_CONCURRENCY="2") as system:
        yield emptied_redis(system, Workload(system, clients=12, seed=seed), backlog)
    with own_system(machine, folder / "stops", WEB_CONCURRENCY="2", WORKER_PROCESSES="2") as system:
        system.start_worker()
        yield stopped_dynos(system, Workload(system, clients=6, seed=seed), stops)
    for how in ("refuses", "stays silent"):
        with own_system(machine, folder / how, WEB_CONCURRENCY="2") as system:
            for _ in range(2):
                system.start_worker()
            workload, proxy = Workload(system, clients=12, seed=seed), system.broker_proxy
            break_redis = proxy.refuse if how == "refuses" else proxy.go_silent
            yield without_redis(system, workload, f"F9, Redis {how} for good", break_redis)


@contextlib.contextmanager
def own_system(machine: Machine, folder: Path, **settings: str) -> Iterator[System]:
    """Start a web command on a database of its own, and end it."""
    folder.mkdir()
    machine.start()
    system = System(machine, folder, LOG_LEVEL="INFO", **settings)
    try:
        system.start_web()
        yield system
    finally:
        system.close()


def emptied_redis(system: System, workload: Workload, backlog: int) -> Measured:
    """Measure the drain after FLUSHALL."""
    rate = emptied_redis_drains(system, workload, backlog)
    assert not (found := find_problems(system, workload)), found
    line = f"F8, FLUSHALL with {backlog} queued: swept at {rate:.0f} orders/s by one worker process"
    # With a small backlog most of the time is the wait for the first sweep.
    return Measured(line, missed(f"F8: at least {DRAIN_RATE} orders/s", rate >= DRAIN_RATE or backlog < 1_000))


def missed(requirement: str, is_reached: bool) -> list[str]:
    """Return the requirement as a list unless it is reached."""
    return [] if is_reached else [f"not reached: {requirement}"]


def stopped_dynos(system: System, workload: Workload, stops: int) -> Measured:
    """Measure how long the dyno takes to stop under load."""
    exits = series_of_stops(system, workload, stops)
    workload.finish()
    drain(system, 60)
    assert not (found := find_problems(system, workload) + find_leftovers(system)), found
    in_time = sum(length < STOP_S for length in exits)
    line = (
        f"F7, SIGTERM of the whole dyno under load: {in_time} of {stops} within {STOP_S:g} s (to reach: all),"
        f" nothing lost; seconds: {', '.join(f'{length:.1f}' for length in exits)}"
    )
    return Measured(line, missed(f"F7: every stop within {STOP_S:g} s", in_time == stops))


def without_redis(system: System, workload: Workload, what: str, break_redis: Callable[[], None]) -> Measured:
    """Measure placements and executions under load after Redis has gone; it does not come back."""
    with workload.running():
        time.sleep(1)
        break_redis()
        since, before = str(system.sql("SELECT clock_timestamp()")[0][0]), len(workload.requests)
        time.sleep(WITHOUT_REDIS_S)
    drain(system, 60)
    assert not (found := workload.failures + find_problems(system, workload)), found
    times = execution_times(system, since)
    placed = [request for request in workload.requests[before:] if request.kind == "place"]
    waits = sorted(request.seconds[-1] for request in placed)
    # A request that breaks a rule, such as an order without enough margin, is refused as usual.
    others = answered(placed).keys() - {202, 422}
    line = (
        f"{what}: {times.orders} orders executed in {WITHOUT_REDIS_S:g} s, placements answered {dict(answered(placed))}"
        f" in p50 {waits[len(waits) // 2]:.3f}, p99 {waits[len(waits) * 99 // 100]:.3f}, longest {waits[-1]:.3f} s;"
        f" seconds from placed_at to executed_at: p50 {times.p50}, p99 {times.p99}"
        f" (to reach: {EXECUTED_P99_S:g}), longest {times.longest}"
    )
    return Measured(
        line,
        missed(f"{what}: executed at p99 within {EXECUTED_P99_S:g} s", times.p99 <= EXECUTED_P99_S)
        + missed(f"{what}: every placement is answered with 202", bool(placed) and not others),
    )
