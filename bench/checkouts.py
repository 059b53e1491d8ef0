"""Compare the rates of this checkout and another one in alternating rounds: `python -m bench.checkouts ../other`."""

import argparse
import contextlib
import http.client
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psycopg2
import redis

from bench.clients.load import CONNECTIONS, LoadError, build_requests, place_orders
from bench.reports.figures import number
from bench.seeding import ACCOUNTS
from bench.services import LOG_SETTINGS, run_to_the_end, settings_of
from embedded.interruption import Interruption
from embedded.postgres import Postgres
from embedded.valkey import Valkey
from tests.support.processes import ROOT, ProcessStarter, Running, command_environment

SECRET = "a-cron-key-of-the-bench-7d20"
MAX_SWEPT = 500
PERIODIC = ("delete_what_is_old", "check_ledger")
# Each side runs this with its own code, because the other checkout may have other tables and functions.
PREPARE = """
import sys
from models import database, migrate
database.initialise(sys.argv[1], pool_size=4)
migrate.upgrade()
from bench.seeding import seed
from trading.accounts.tokens import create_token
seed()
print(create_token(["feed"])[1])
"""
# Only this checkout's orders can rest.
REST = """
import sys
from models import database
database.initialise(sys.argv[1], pool_size=4)
from bench.parts.resting import fill_resting
fill_resting(int(sys.argv[2]))
"""
QUOTES = [{"exchange": "NSE", "symbol": f"QUOTED{number}"} for number in range(1_000)]
COUNT_EXECUTED = "SELECT count(*) FROM trading_order WHERE status = 'EXECUTED'"


@dataclass
class Side:
    """A checkout's web process on its own servers, and its rates (per second) and p50s (ms) by measure."""

    root: Path
    database_url: str
    queue: redis.Redis
    starter: ProcessStarter
    web: Running
    requests: list[bytes]
    feed_token: str
    rates: dict[str, list[float]] = field(default_factory=dict)

    def place(self, seconds: float) -> float:
        """Place orders over HTTP, without a worker, and return the accepted orders per second."""
        load = place_orders(self.port, self.requests, connections=CONNECTIONS, seconds=seconds)
        if load.errors:
            raise LoadError(f"{self.root}: {dict(load.errors)}")
        return load.orders_per_second

    def place_one_by_one(self, seconds: float) -> float:
        """Place orders on one connection, without a worker, and return the p50 of the 202 in milliseconds."""
        load = place_orders(self.port, self.requests, connections=1, seconds=seconds)
        if load.errors:
            raise LoadError(f"{self.root}: {dict(load.errors)}")
        return median(load.latencies_ms)

    def sweep(self, seconds: float) -> float:
        """Place orders, execute them through the cron endpoint, and return the executed orders per second."""
        self.place(seconds)
        executed, began = 0, time.monotonic()
        while counts := self._sweep_once():
            executed += counts["executed"]
        return executed / (time.monotonic() - began)

    def place_and_execute(self, seconds: float) -> float:
        """Place orders while a worker runs, and return the executed orders per second."""
        while self._sweep_once():
            pass
        self.queue.flushdb()
        for name in PERIODIC:  # counts as done, for it is due every ten minutes or every hour
            self.queue.set(f"tradepost:tick:{name}", 1, px=600_000)
        worker = self.starter.worker()
        before, began = self._executed(), time.monotonic()
        self.place(seconds)
        rate = (self._executed() - before) / (time.monotonic() - began)
        worker.terminate()
        return rate

    def quote(self, seconds: float) -> float:
        """Send 1,000 last prices in each request, and return the stored quotes per second."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.feed_token}", "Content-Type": "application/json"}
        sent, began = 0, time.monotonic()
        while (took_s := time.monotonic() - began) < seconds:
            body = json.dumps({"quotes": [{**quote, "lastPrice": f"{100 + sent % 50}.00"} for quote in QUOTES]})
            link.request("PUT", "/api/market/quotes", body, headers)
            answer = link.getresponse()
            answer.read()
            if answer.status != 204:
                raise LoadError(f"{self.root}: quotes were answered {answer.status}")
            sent += len(QUOTES)
        link.close()
        return sent / took_s

    @property
    def port(self) -> int:
        """Return the port of the web process."""
        assert self.web.port is not None
        return self.web.port

    def _sweep_once(self) -> dict[str, int] | None:
        """Execute PENDING orders through the cron endpoint and return the counts, or None if there were none."""
        url = f"{self.web.base_url}/api/cron/order-worker?limit={MAX_SWEPT}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {SECRET}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            counts: dict[str, int] = json.load(answer)
        return counts if counts["claimed"] else None

    def _executed(self) -> int:
        with contextlib.closing(psycopg2.connect(self.database_url)) as connection, connection.cursor() as cursor:
            cursor.execute(COUNT_EXECUTED)
            ((count,),) = cursor.fetchall()
            return int(count)


@contextlib.contextmanager
def start_side(root: Path, resting: int = 0) -> Iterator[Side]:
    """Run a checkout's own servers and its web process while the block runs; this one's may have resting orders."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
        postgres = Postgres(folder / "postgres", settings=LOG_SETTINGS)
        valkey = Valkey(folder / "valkey", durable=False)
        for server in (postgres, valkey):
            stack.callback(server.delete)
            stack.callback(server.stop)
            server.start()
        settings = settings_of(postgres, valkey, folder, 2) | {"CRON_SECRET": SECRET}
        environment = command_environment(settings)
        prepare = [sys.executable, "-c", PREPARE, settings["DATABASE_URL"]]
        prepared = subprocess.run(prepare, cwd=root, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        if resting:
            rest = [sys.executable, "-c", REST, settings["DATABASE_URL"], str(resting)]
            subprocess.run(rest, cwd=root, env=environment, check=True)
        starter = ProcessStarter(environment, folder, root=root)
        stack.callback(starter.stop)
        web = starter.web()
        client = stack.enter_context(redis.Redis.from_url(valkey.url, socket_timeout=5))
        requests, token = build_requests(ACCOUNTS, port=web.port or 0), prepared.stdout.split()[-1]
        yield Side(root, settings["DATABASE_URL"], client, starter, web, requests, token)


def compare(
    sides: tuple[Side, Side], name: str, measure: Callable[[Side], float], *, rounds: int, unit: str = "a second"
) -> None:
    """Measure both sides in alternating order, and print the ratio of the first to the second."""
    for turn in range(rounds):
        for side in sides if turn % 2 == 0 else reversed(sides):
            side.rates.setdefault(name, []).append(measure(side))
    ours, theirs = (side.rates[name] for side in sides)
    ratios = sorted(one / other for one, other in zip(ours, theirs, strict=True))
    print(
        f"{name}: {number(median(ours))} against {number(median(theirs))} {unit},"
        f" ratio {median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})",
        flush=True,
    )


def measure_both(options: argparse.Namespace, interruption: Interruption) -> int:
    """Run every comparison and return 0."""
    with contextlib.ExitStack() as stack:
        stack.callback(interruption.ignore)
        ours = stack.enter_context(start_side(ROOT, options.resting))
        theirs = stack.enter_context(start_side(options.other.resolve()))
        sides, seconds, rounds = (ours, theirs), options.seconds, options.rounds
        for side in sides:  # warm up: processes load, connect and plan
            side.place(seconds)
        compare(sides, "placements", lambda side: side.place(seconds), rounds=rounds)
        one_by_one = "p50 of the 202 at 1 connection"
        compare(sides, one_by_one, lambda side: side.place_one_by_one(seconds), rounds=rounds, unit="ms")
        compare(sides, "execution by sweeps", lambda side: side.sweep(seconds), rounds=rounds)
        compare(sides, "placed and executed", lambda side: side.place_and_execute(seconds), rounds=rounds)
        compare(sides, "last prices", lambda side: side.quote(seconds), rounds=rounds)
    return 0


def main() -> int:
    """Compare the checkouts and return 0 if nothing failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.checkouts", description=__doc__)
    parser.add_argument("other", type=Path, help="the folder of the other checkout")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each comparison (9)")
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds of a round (2)")
    parser.add_argument("--resting", type=int, default=0, help="orders that rest in this checkout's tables (0)")
    options = parser.parse_args()
    return run_to_the_end(lambda interruption: measure_both(options, interruption), LoadError)


if __name__ == "__main__":
    sys.exit(main())
