"""Alternating placements over HTTP and with pgbench, all of them counted."""

from collections import Counter
from dataclasses import dataclass, field

from bench.clients.load import CONNECTIONS, Load, build_requests, place_orders
from bench.clients.pace import place_at_pace
from bench.clients.pgbench import Reference, run_pgbench
from bench.reports.report import PlacementRow, WorkerRow
from bench.seeding import ACCOUNTS
from bench.services import Services
from models.database import fetch_one, session
from trading.upkeep.backlog import count_pending
from trading.upkeep.verify import verify

PACED_RATE = 100.0  # orders per second
WARM_UP_SECONDS = 2


@dataclass
class Bench:
    """The service under test, the options of a run, and the count of all accepted orders."""

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
        """Place orders over HTTP at a pace that does not wait for responses."""
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
        return self._refer(accounts, clients, seconds or self.seconds, None).transactions_per_second

    def refer_at_pace(self, *, accounts: int, clients: int, rate: float, seconds: int) -> tuple[float, ...]:
        """Run pgbench at a pace and return its latencies (ms) from the due times of the transactions."""
        return self._refer(accounts, clients, seconds, rate).latencies_ms

    def _refer(self, accounts: int, clients: int, seconds: int, rate: float | None) -> Reference:
        url = self.services.database_url
        reference = run_pgbench(url, accounts=accounts, clients=clients, seconds=seconds, rate=rate)
        self.placed += reference.transactions
        return reference

    def warm_up(self) -> None:
        """Place some orders before any measurement, so that all processes have loaded, connected and planned."""
        for accounts in (ACCOUNTS, 1):
            self.place(accounts=accounts, connections=CONNECTIONS)
            self.refer(accounts=accounts, clients=CONNECTIONS)
            self.services.settle()

    def compare(self, *, accounts: int, connections: int) -> PlacementRow:
        """Measure placements and the reference in alternating order, each round from settled tables."""
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
        """Measure the latency of one connection, alternately with the worker stopped and running."""
        rows = [WorkerRow(PACED_RATE), WorkerRow(None)]
        for number in range(self.rounds):
            for with_worker in (False, True) if number % 2 == 0 else (True, False):
                worker = self.services.start_worker() if with_worker else None
                for row in rows:
                    load = self.place(accounts=ACCOUNTS, connections=1, rate=row.rate)
                    row.add(load, executed=load.placed - count_pending(load.placed), with_worker=with_worker)
                    self.services.settle()
                if worker is not None:
                    worker.terminate()
        return rows

    def check(self) -> list[str]:
        """Return the failures of a run: refused requests, missing or unknown orders, wrong ledgers."""
        wrong = [f"{count} times {error}" for error, count in self.errors.items()]
        with session():
            row = fetch_one("SELECT count(*) AS orders FROM trading_order")
        assert row is not None
        if row["orders"] != self.placed:
            wrong.append(f"{self.placed} orders were accepted, {row['orders']} are in the database")
        return wrong + [str(violation) for violation in verify()]
