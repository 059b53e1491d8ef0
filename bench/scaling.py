"""Measure the gain of a second web and a second worker process, and the cost of an order for each server.

docs/scaling.md extrapolates from the processor time per order and role, because two cores limit the gain of a second
process.
"""

import argparse
import json
import sys
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Any

from bench.clients.load import CONNECTIONS, build_requests, place_orders
from bench.profiling import processor_s
from bench.reports.report import percentiles
from bench.seeding import ACCOUNTS
from bench.services import Services, running
from embedded.interruption import Interruption
from models.database import fetch_one, session
from trading.upkeep.backlog import count_pending
from trading.upkeep.verify import verify

WARM_UP_SECONDS = 2


@dataclass(frozen=True)
class Row:
    """The results of one combination of processes; processor times in milliseconds per placed order."""

    web_processes: int
    worker_processes: int
    placed_per_second: float
    executed_per_second: float
    p50_ms: float
    web_cpu_ms: float
    worker_cpu_ms: float
    postgresql_cpu_ms: float
    valkey_cpu_ms: float
    wal_kb: float


def main() -> int:
    """Run every combination and print the table; return 1 if a ledger is wrong."""
    options = _options()
    interruption = Interruption()
    interruption.install()
    rows: list[Row] = []
    wrong: list[Any] = []
    for web_processes in (1, 2):
        with running(interruption, web_concurrency=web_processes) as services:
            requests = build_requests(ACCOUNTS, port=services.port)
            place_orders(services.port, requests, connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
            for worker_processes in (0, 1, 2):
                print(f"... {web_processes} web, {worker_processes} worker processes", file=sys.stderr, flush=True)
                services.settle()
                rows.append(_measure(services, requests, web_processes, worker_processes, options.seconds))
            services.settle()
            wrong += verify()
    _print(rows)
    print("some ledgers are wrong" if wrong else "the ledgers are right")
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    return 1 if wrong else 0


def _measure(services: Services, requests: list[bytes], web_processes: int, worker_processes: int, seconds: int) -> Row:
    workers = [services.start_worker() for _ in range(worker_processes)]
    before, wal = processor_s(services), _wal_bytes()
    load = place_orders(services.port, requests, connections=CONNECTIONS, seconds=seconds)
    executed = load.placed - count_pending(load.placed)
    after = processor_s(services)
    cpu_ms = {f"{what.lower()}_cpu_ms": (after[what] - before[what]) * 1000 / load.placed for what in before}
    wal_kb = (_wal_bytes() - wal) / 1024 / load.placed
    for worker in workers:
        worker.terminate()
    rates = (load.orders_per_second, executed / seconds)
    p50_ms = percentiles(load.latencies_ms)["p50_ms"]
    return Row(web_processes, worker_processes, *rates, p50_ms=p50_ms, wal_kb=wal_kb, **cpu_ms)


def _wal_bytes() -> int:
    return int(_value("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"))


def _value(query: str) -> Any:
    with session():
        row = fetch_one(query)
    assert row is not None
    return next(iter(row.values()))


def _print(rows: list[Row]) -> None:
    print("\n" + "  ".join(f"{field.name:>19}" for field in fields(Row)))
    for row in rows:
        print("  ".join(f"{value:19.2f}" if isinstance(value, float) else f"{value:19}" for value in astuple(row)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="seconds of each run (10)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="a file for the results")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
