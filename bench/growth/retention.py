"""Deletion of old events during placements, and of all others before the next parts."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench.clients.load import build_requests, place_orders
from bench.growth.parts import sweep_all
from bench.growth.sides import Side
from bench.parts.placement import PACED_RATE
from bench.reports.report import percentiles
from bench.seeding import ACCOUNTS
from models.database import execute, unbounded
from trading.events.retention import delete_old_events, delete_what_is_old


def measure_retention(full: Side, seconds: int) -> dict[str, Any]:
    """Measure the deletion rate of old events, and the latency of paced placements before and during the deletion."""
    full.enter()
    requests = build_requests(ACCOUNTS, port=full.services.port)

    def paced() -> dict[str, float]:
        load = place_orders(full.services.port, requests, connections=1, seconds=seconds, rate=PACED_RATE)
        sweep_all()
        full.services.redis.flushdb()
        return percentiles(load.latencies_ms)

    paced()
    without = paced()
    with _repeated(delete_old_events) as beside:
        meanwhile = paced()
    return {
        "rows_per_second": sum(beside) / seconds,
        "placement_without": without,
        "placement_beside": meanwhile,
    }


def finish_retention(sides: list[Side]) -> None:
    """Delete all old events and vacuum the table, as the worker and autovacuum do."""
    for side in sides:
        side.enter()
        delete_what_is_old()
        with unbounded():
            execute("VACUUM (ANALYZE) event")


@contextmanager
def _repeated(work: Callable[[], int | None]) -> Iterator[list[int]]:
    """Repeat work in a thread while the block runs, and collect its results."""
    done: list[int] = []
    stopping = threading.Event()

    def run() -> None:
        while not stopping.is_set() and (count := work()) is not None:
            done.append(count)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield done
    finally:
        stopping.set()
        thread.join()
