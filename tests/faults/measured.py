"""What `make faults` measures after the soak, each on a system of its own."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.checks import answered, drain, execution_times, find_leftovers, find_problems
from tests.faults.machine import Machine
from tests.faults.series import emptied_redis_drains, series_of_stops
from tests.faults.system import System
from tests.faults.workload import Workload

WITHOUT_REDIS_S = 30.0


def measured_series(machine: Machine, folder: Path, seed: int, backlog: int, stops: int) -> Iterator[str]:
    """Yield a line of the report for each thing that is measured."""
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
            measured = without_redis(system, workload, proxy.refuse if how == "refuses" else proxy.go_silent)
            yield f"F9, Redis {how} for good: {measured}"


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


def emptied_redis(system: System, workload: Workload, backlog: int) -> str:
    """Measure the drain after FLUSHALL."""
    rate = emptied_redis_drains(system, workload, backlog)
    assert not (found := find_problems(system, workload)), found
    return f"F8, FLUSHALL with {backlog} queued: swept at {rate:.0f} orders/s by one worker process"


def stopped_dynos(system: System, workload: Workload, stops: int) -> str:
    """Measure how long the dyno takes to stop under load."""
    exits = series_of_stops(system, workload, stops)
    workload.finish()
    drain(system, 60)
    assert not (found := find_problems(system, workload) + find_leftovers(system)), found
    in_time = sum(length < 25 for length in exits)
    return (
        f"F7, SIGTERM of the whole dyno under load: {in_time} of {stops} within 25 s (to reach: all), nothing lost;"
        f" seconds: {', '.join(f'{length:.1f}' for length in exits)}"
    )


def without_redis(system: System, workload: Workload, break_redis: Callable[[], None]) -> str:
    """Measure placements and executions under load from when Redis is gone; it does not come back."""
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
    return (
        f"{times.orders} orders executed in {WITHOUT_REDIS_S:g} s, placements answered {dict(answered(placed))}"
        f" in p50 {waits[len(waits) // 2]:.3f}, p99 {waits[len(waits) * 99 // 100]:.3f}, longest {waits[-1]:.3f} s;"
        f" seconds from placed_at to executed_at: p50 {times.p50}, p99 {times.p99} (to reach: 2),"
        f" longest {times.longest}"
    )
