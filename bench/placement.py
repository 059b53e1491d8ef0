"""Measure placement over HTTP beside pgbench, and whether the 202 waits for execution."""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import report
from bench.load import Load, LoadError, build_requests, place_orders
from bench.pace import place_at_pace
from bench.pgbench import PgbenchError, run_pgbench
from bench.report import PlacementRow, WorkerRow
from bench.seeding import ACCOUNTS
from bench.services import Services, run_to_the_end, running
from embedded.interruption import Interruption
from models.database import DatabaseUnavailable, fetch_one, session
from trading.sweeping import count_pending
from trading.verify import verify

PACED_RATE = 100.0  # orders per second
WARM_UP_SECONDS = 2
WARM_UP_CONNECTIONS = 16


@dataclass
class Bench:
    """Run the parts of the benchmark, and keep count of every order that was accepted."""

    services: Services
    seconds: int
    rounds: int
    placed: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    requests: dict[int, list[bytes]] = field(default_factory=dict)

    def place(
        self, *, accounts: int, connections: int, rate: float | None = None, seconds: float | None = None
    ) -> Load:
        """Place orders over HTTP for one round."""
        requests, length = self._requests(accounts), seconds or self.seconds
        load = place_orders(self.services.port, requests, connections=connections, seconds=length, rate=rate)
        return self._counted(load)

    def pace(self, *, accounts: int, connections: int, rate: float, seconds: float) -> Load:
        """Place orders over HTTP at a pace, whether or not those before are answered."""
        requests, port = self._requests(accounts), self.services.port
        return self._counted(place_at_pace(port, requests, connections=connections, rate=rate, seconds=seconds))

    def _requests(self, accounts: int) -> list[bytes]:
        if accounts not in self.requests:
            self.requests[accounts] = build_requests(accounts, port=self.services.port)
        return self.requests[accounts]

    def _counted(self, load: Load) -> Load:
        self.placed += load.placed
        self.errors += load.errors
        return load

    def refer(self, *, accounts: int, clients: int, seconds: int | None = None) -> float:
        """Run pgbench for one round and return its transactions per second."""
        url = self.services.database_url
        reference = run_pgbench(url, accounts=accounts, clients=clients, seconds=seconds or self.seconds)
        self.placed += reference.transactions
        return reference.transactions_per_second

    def warm_up(self) -> None:
        """Let every process load, connect and plan before anything is measured."""
        for accounts in (ACCOUNTS, 1):
            self.place(accounts=accounts, connections=WARM_UP_CONNECTIONS)
            self.refer(accounts=accounts, clients=WARM_UP_CONNECTIONS)
            self.services.settle()

    def compare(self, *, accounts: int, connections: int) -> PlacementRow:
        """Measure placements and the reference by turns, each from settled tables, the first one changing."""
        row = PlacementRow(accounts, connections)
        for number in range(self.rounds):
            for side in ("http", "pgbench") if number % 2 == 0 else ("pgbench", "http"):
                if side == "http":
                    row.add(self.place(accounts=accounts, connections=connections))
                else:
                    row.reference_rates.append(self.refer(accounts=accounts, clients=connections))
                self.services.settle()
        return row

    def compare_worker(self) -> list[WorkerRow]:
        """Measure one connection's latency with the worker stopped and with it running, by turns."""
        rows = [WorkerRow(PACED_RATE), WorkerRow(None)]
        for number in range(self.rounds):
            for with_worker in (False, True) if number % 2 == 0 else (True, False):
                worker = self.services.start_worker() if with_worker else None
                for row in rows:
                    load = self.place(accounts=ACCOUNTS, connections=1, rate=row.rate)
                    row.add(load, executed=load.placed - count_pending(), with_worker=with_worker)
                    self.services.settle()
                if worker is not None:
                    worker.terminate()
        return rows

    def check(self) -> list[str]:
        """Return what is wrong at the end: refused requests, lost or unknown orders, broken books."""
        wrong = [f"{count} times {error}" for error, count in self.errors.items()]
        with session():
            row = fetch_one("SELECT count(*) AS orders FROM trading_order")
        assert row is not None
        if row["orders"] != self.placed:
            wrong.append(f"{self.placed} orders were accepted, {row['orders']} are in the database")
        return wrong + [f"{rule}: account {account}: {detail}" for account, rule, detail in verify()]


def main() -> int:
    """Run the benchmark and return 0 when nothing went wrong, whether or not the numbers are reached."""
    options = _options()
    return run_to_the_end(lambda interruption: _run(interruption, options), LoadError, PgbenchError)


def _run(interruption: Interruption, options: argparse.Namespace) -> int:
    try:
        with running(interruption) as services:
            return _measure(Bench(services, options.seconds, options.rounds), options)
    except DatabaseUnavailable:
        # psycopg2 makes an error of its own of what is raised while it waits: was it a stop?
        with interruption.shielded():
            pass
        raise


def _measure(bench: Bench, options: argparse.Namespace) -> int:
    began = time.monotonic()
    versions = bench.services.versions()
    print(", ".join(f"{name} {value}" for name, value in versions.items()), flush=True)
    bench.warm_up()
    rows = []
    for accounts in options.accounts:
        for connections in options.connections:
            _progress(f"{connections} connections on {accounts} accounts")
            rows.append(bench.compare(accounts=accounts, connections=connections))
    _progress("the worker stopped and running")
    worker_rows = bench.compare_worker()
    _progress("ledger verify")
    wrong = bench.check()
    requirements = report.judge(rows, worker_rows)
    print(report.text(rows, worker_rows, requirements, wrong))
    print(f"{bench.placed} orders in {time.monotonic() - began:.0f} s, {options.rounds} rounds of {options.seconds} s")
    if options.json:
        document = report.document(rows, worker_rows, requirements, wrong)
        facts = {"versions": versions, "rounds": options.rounds, "seconds": options.seconds, "orders": bench.placed}
        options.json.write_text(json.dumps({**facts, **document}, indent=2) + "\n")
    return 1 if wrong else 0


def _progress(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


def _options(arguments: Sequence[str] | None = None) -> Any:
    parser = argparse.ArgumentParser(prog="python -m bench.placement", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3, help="length of a round (3)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each comparison (5)")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64], help="(1 16 64)")
    parser.add_argument("--accounts", type=int, nargs="+", default=[ACCOUNTS, 1], help=f"({ACCOUNTS} 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there, too")
    options = parser.parse_args(arguments)
    if min(options.seconds, options.rounds, *options.connections, *options.accounts) < 1:
        parser.error("every number must be at least 1")
    if max(options.accounts) > ACCOUNTS:
        parser.error(f"there are {ACCOUNTS} accounts")
    return options


if __name__ == "__main__":
    sys.exit(main())
