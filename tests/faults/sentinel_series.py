"""A measured series: Redis' primary is lost again and again under load, and Sentinels promote its replica.

python -m tests.faults.sentinel_series --seed 7 --rounds 10
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from embedded.valkey import Valkey
from tests.faults.checks import answered, drain, execution_times, find_leftovers, find_problems
from tests.faults.machine import Machine
from tests.faults.measured import EXECUTED_P99_S, Measured, missed
from tests.faults.system import System
from tests.faults.test_redis_faults import ready
from tests.faults.watched import watched_system
from tests.faults.workload import Request, Workload
from tests.support.processes import wait_until
from tests.support.sentinels import DOWN_AFTER_MS, Watched

ROUNDS = 10
READY_S = 5.0  # after the promotion
LEFT = "dispatch_left_to_sweeping"


class Failover(NamedTuple):
    """The seconds from a fault until the replica was promoted, and until the web process used it."""

    promoted_s: float
    ready_s: float


def sentinel_series(machine: Machine, folder: Path, seed: int, rounds: int = ROUNDS) -> Iterator[Measured]:
    """Measure failovers of Redis: its primary killed, suspended or switched, by chance."""
    folder.mkdir()
    with watched_system(machine, folder, WEB_CONCURRENCY="2") as (system, watched):
        system.start_web()
        for _ in range(2):
            system.start_worker()
        yield _measure(system, watched, Workload(system, clients=12, seed=seed), random.Random(seed), rounds)


def _measure(system: System, watched: Watched, workload: Workload, chance: random.Random, rounds: int) -> Measured:
    failovers = []
    with workload.running(pause_s=0.02):
        time.sleep(1)
        since, before = str(system.sql("SELECT clock_timestamp()")[0][0]), len(workload.requests)
        for _ in range(rounds):
            failovers.append(_fail_over(system, watched, chance))
            time.sleep(chance.uniform(0.5, 1.5))
    drain(system, 60)
    found = workload.failures + find_problems(system, workload) + find_leftovers(system)
    assert not found, found
    placed = [request for request in workload.requests[before:] if request.kind == "place"]
    return _report(system, failovers, placed, since)


def _fail_over(system: System, watched: Watched, chance: random.Random) -> Failover:
    start, old = time.monotonic(), _break(watched, chance.choice(("kill", "suspend", "switch")))
    watched.wait_until_promoted(old)
    promoted_s = time.monotonic() - start
    wait_until(lambda: ready(system)["status"] == "ok", timeout_s=30, what="ready is ok")
    ready_s = time.monotonic() - start
    if old.pid is not None:
        psutil.Process(old.pid).send_signal(signal.SIGCONT)
    watched.wait_until_whole()
    return Failover(promoted_s, ready_s)


def _break(watched: Watched, how: str) -> Valkey:
    """Make the primary useless, and return it."""
    match how:
        case "kill":
            return watched.kill_primary()
        case "suspend":
            return watched.suspend_primary()
    return watched.fail_over()


def _report(system: System, failovers: list[Failover], placed: list[Request], since: str) -> Measured:
    times, left = execution_times(system, since), sum(web.log.count(LEFT) for web in system.webs)
    waits = sorted(request.seconds[-1] for request in placed)
    promoted, used = [one.promoted_s for one in failovers], [one.ready_s for one in failovers]
    late_s = max(one.ready_s - one.promoted_s for one in failovers)
    what = f"Redis' primary killed, suspended or switched {len(failovers)} times under load"
    line = (
        f"{what}, Sentinels wait {DOWN_AFTER_MS / 1000:g} s: promoted after {_spread(promoted)} s,"
        f" ready ok after {_spread(used)} s, {late_s:.1f} s after the promotion (to reach: {READY_S:g});"
        f" placements answered {dict(answered(placed))}"
        f" in p50 {waits[len(waits) // 2]:.3f}, p99 {waits[len(waits) * 99 // 100]:.3f}, longest {waits[-1]:.3f} s;"
        f" seconds from placed_at to executed_at: p50 {times.p50}, p99 {times.p99} (to reach: {EXECUTED_P99_S:g}),"
        f" longest {times.longest}; {left} of {times.orders} orders left to sweeping; lost 0, doubled 0"
    )
    return Measured(
        line,
        missed(f"{what}: executed at p99 within {EXECUTED_P99_S:g} s", times.p99 <= EXECUTED_P99_S)
        + missed(f"{what}: used again {READY_S:g} s after each promotion", late_s <= READY_S)
        + missed(f"{what}: every placement is answered with 202", not answered(placed).keys() - {202, 422}),
    )


def _spread(seconds: list[float]) -> str:
    return f"p50 {sorted(seconds)[len(seconds) // 2]:.1f}, longest {max(seconds):.1f}"


def main() -> int:
    """Run the series alone; exit 1 when anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randint(1, 10**6))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="tradepost-sentinels-") as name:
        machine = Machine(Path(name) / "servers")
        try:
            machine.start()
            machine.make_template()
            (measured,) = sentinel_series(machine, Path(name) / "watched", options.seed, options.rounds)
        finally:
            machine.close()
    print("\n".join([measured.line, *measured.missed]))
    return 1 if measured.missed else 0


if __name__ == "__main__":
    sys.exit(main())
