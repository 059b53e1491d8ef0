"""Two series that are also measured: an emptied Redis with a backlog, and a dyno stopped again and again."""

import signal
import time

from embedded import processes
from tests.faults.checks import drain, pending_orders
from tests.faults.system import System
from tests.faults.workload import Workload
from tests.support.processes import wait_until

BATCH_LIMIT = 50


def queue_without_worker(workload: Workload, count: int) -> None:
    """Place orders while no worker runs."""
    workload.begin()
    wait_until(lambda: pending_orders(workload.system) >= count, timeout_s=600, what=f"{count} orders")
    workload.finish()


def emptied_redis_drains(system: System, workload: Workload, count: int) -> float:
    """Queue orders, FLUSHALL, start a worker; return the rate (orders per second) at which they are swept."""
    queue_without_worker(workload, count)
    pending = pending_orders(system)
    assert system.redis.llen("tradepost:orders") > 0
    system.redis.flushall()
    worker = system.start_worker()
    seconds = drain(system, timeout_s=count / 20 + 30)
    sweeps = [line for line in worker.log.splitlines() if " swept" in line]
    assert sum(int(word.split("=")[1]) for line in sweeps for word in line.split() if word.startswith("claimed="))
    assert all(f"claimed={claimed}" not in line for line in sweeps for claimed in range(BATCH_LIMIT + 1, 501))
    return pending / seconds


def stop_and_start_dyno(system: System) -> float:
    """Signal every process of every command at once, as Heroku does; start all anew; return the slowest exit.

    The main processes signal their children once more.
    """
    start = time.monotonic()
    for command in (*system.webs, *system.workers):
        command.signal_all(signal.SIGTERM)
    longest = 0.0
    for command in (*system.webs, *system.workers):
        command.wait(30)
        longest = max(longest, time.monotonic() - start)
        assert not processes.group_members(command.pid), "a process has outlived its command"
    left = [key.decode() for key in system.redis.scan_iter("tradepost:__acks__*")]
    assert not left, f"jobs were lost into ack sets: {left}"
    system.revive()
    return longest


def series_of_stops(system: System, workload: Workload, times: int) -> list[float]:
    """Stop the whole dyno under load, again and again; return how long each took."""
    exits = []
    workload.begin(pause_s=0.02)
    for _ in range(times):
        time.sleep(1.0)
        system.wait_for_hit(system.arm("worker_sleeps_before_commit", "1.0"))  # so that a job is under way
        exits.append(stop_and_start_dyno(system))
    return exits
