"""Quotes beside resting orders, the time from a quote to its fill, a quote that crosses thousands, and expiry."""

import threading
import time
from datetime import datetime
from decimal import Decimal
from statistics import median

from bench.clients.load import build_requests
from bench.clients.pace import place_at_pace
from bench.parts.backlog import fill, sweep_rate
from bench.parts.resting import ABOVE, LIMIT, STOCKS, Feeder, count_matched, count_resting, end_all_now, fill_resting
from bench.reports.figures import Figure
from bench.reports.report import percentiles
from bench.seeding import ACCOUNTS
from bench.services import Services
from models.database import fetch_all, fetch_one, session
from tests.support.processes import wait_until
from trading.execution.sweeping import MAX_BATCH
from trading.upkeep.verify import verify

QUOTES = 1_000
BESIDE_REQUIRED = 0.7
PACE, PACED_QUOTES, PACED_P99_MS = 1_000, 10, 50.0  # quotes per second, quotes of a request
CROSSED, CROSSED_REQUIRED, FIRST_FILL_MS, TAIL_ALLOWED = 10_000, 0.8, 50.0, 3.0
EXPIRED, EXPIRY_S = 100_000, 60.0
PLACEMENTS = 100.0  # per second, beside a figure
PATIENCE_S = 300.0

CROSSED_STOCK = STOCKS + 1
FILLS = """
SELECT min(executed_at) AS first, max(executed_at) AS last, count(*) AS orders
FROM trading_order WHERE match_sequence IS NOT NULL AND status = 'EXECUTED' AND matched_at >= to_timestamp(%s)
"""


class Beside:
    """Placements at a steady pace in a thread while a figure is measured, with their latencies."""

    def __init__(self, services: Services, seconds: float = 1.0) -> None:
        self.services, self.seconds = services, seconds
        self.requests = build_requests(ACCOUNTS, port=services.port)
        self.latencies_ms: list[float] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._place)

    def __enter__(self) -> "Beside":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _place(self) -> None:
        while not self._done.is_set():
            load = place_at_pace(
                self.services.port, self.requests, connections=4, seconds=self.seconds, rate=PLACEMENTS
            )
            assert not load.errors, load.errors
            self.latencies_ms += load.latencies_ms

    @property
    def p99_ms(self) -> float:
        """Return the p99 of the placements."""
        return percentiles(self.latencies_ms)["p99_ms"]


def quotes_beside_resting(sides: dict[int, Services], *, rounds: int, seconds: float) -> Figure:
    """Send 1,000 quotes in each request, by turns to services with so many resting orders, and none crossed."""
    (none, full), rates = sorted(sides), {number: list[float]() for number in sides}
    feeders = {number: Feeder(services) for number, services in sides.items()}
    requests = {
        number: [
            feeder.request(range(first, first + QUOTES), ABOVE + Decimal(turn))
            for turn in (1, 2)
            for first in (1, 1 + QUOTES)
        ]
        for number, feeder in feeders.items()
    }
    for number in sides:  # warm up
        feeders[number].rate(requests[number], quotes=QUOTES, seconds=1.0)
    for turn in range(rounds):
        for number in (none, full) if turn % 2 == 0 else (full, none):
            rates[number].append(feeders[number].rate(requests[number], quotes=QUOTES, seconds=seconds))
    title = f"1,000 quotes in a request, {full:,} orders resting on {STOCKS:,} stocks, none crossed"
    figure = Figure("quotes_beside_resting", title, "quotes/s", rates[full], "none resting", rates[none])
    return figure.at_least("ratio", figure.ratio or 0.0, BESIDE_REQUIRED)


def quotes_at_pace(services: Services, *, seconds: float) -> Figure:
    """Send 1,000 quotes a second, ten in a request, beside 100 placements a second."""
    feeder, found = Feeder(services), list[float]()
    requests = [
        feeder.request(range(1 + start, 1 + start + PACED_QUOTES), ABOVE + Decimal(turn))
        for turn in (3, 4)
        for start in range(0, STOCKS, PACED_QUOTES)
    ]
    with Beside(services):
        began, pause = time.perf_counter(), PACED_QUOTES / PACE
        for number in range(int(seconds / pause)):
            due = began + number * pause
            time.sleep(max(0.0, due - time.perf_counter()))
            feeder.send(requests[number % len(requests)], accepted=PACED_QUOTES)
            found.append((time.perf_counter() - due) * 1000)  # a server that stalls cannot hide it
    p99_ms = percentiles(found)["p99_ms"]
    title = "quotes at 1,000/s in requests of ten, beside 100 placements/s, p99 of a request"
    figure = Figure("quotes_paced", title, "ms", [p99_ms], remarks=f"p50 {median(found):.1f} ms, from the due time")
    return figure.at_most("p99", p99_ms, PACED_P99_MS, unit="ms")


def crossed_at_once(services: Services, *, rounds: int, orders: int = CROSSED) -> list[Figure]:
    """Let one quote cross many orders of 1,000 accounts while placements go on, by turns with sweeps of as many."""
    rates, swept, firsts = list[float](), list[float](), list[float]()
    calm, busy = list[float](), list[float]()
    for turn in range(rounds):
        for side in ("quote", "sweep") if turn % 2 == 0 else ("sweep", "quote"):
            if side == "sweep":
                fill(orders)
                swept.append(sweep_rate(orders, limit=MAX_BATCH))
            else:
                rate, first_ms = _cross(services, orders, calm, busy)
                rates.append(rate)
                firsts.append(first_ms)
            services.settle()
    title = f"one quote that crosses {orders:,} orders of {ACCOUNTS:,} accounts, beside {PLACEMENTS:g} placements/s"
    figure = Figure("crossed_at_once", title, "orders/s", rates, "sweeping as many, alone", swept)
    figure.at_least("ratio", figure.ratio or 0.0, CROSSED_REQUIRED)
    figure.at_most("first fill", median(firsts), FIRST_FILL_MS, unit="ms")
    tails = [percentiles(found)["p99_ms"] for found in (busy, calm)]
    beside = Figure(
        "placements_beside_crossing", "p99 of placements meanwhile", "ms", tails[:1], "before the quote", tails[1:]
    )
    return [figure, beside.at_most("ratio", beside.ratio or 0.0, TAIL_ALLOWED)]


def _cross(services: Services, orders: int, calm: list[float], busy: list[float]) -> tuple[float, float]:
    """Return the orders filled per second since the quote was sent, and the milliseconds to the first fill."""
    expected = fill_resting(orders, first=CROSSED_STOCK, stocks=1)
    worker, feeder = services.start_worker(), Feeder(services)  # whose connection would end while the orders are placed
    with Beside(services) as before:
        time.sleep(3.0)
    with Beside(services) as meanwhile:
        sent_at = time.time()
        _, matched = feeder.send(feeder.request([CROSSED_STOCK], LIMIT), accepted=1)
        assert matched == expected, f"{matched} of {expected} orders were matched"
        wait_until(lambda: count_matched() == 0, timeout_s=PATIENCE_S, what="every match is filled")
    calm += before.latencies_ms
    busy += meanwhile.latencies_ms
    worker.terminate()
    with session():
        found = fetch_one(FILLS, (sent_at,))
    assert found is not None
    assert found["orders"] == expected, f"{found['orders']} of {expected} matched orders were executed"
    return expected / (_unix(found["last"]) - sent_at), 1000 * (_unix(found["first"]) - sent_at)


def expiry(services: Services, *, orders: int = EXPIRED) -> Figure:
    """Let many orders reach their end at once beside 100 placements a second, after a sweep of some as reference."""
    swept = min(orders, CROSSED)
    fill(swept)
    reference = sweep_rate(swept, limit=MAX_BATCH)
    expected = fill_resting(orders)
    worker = services.start_worker()
    with Beside(services) as beside:
        began = time.monotonic()
        end_all_now()
        wait_until(lambda: count_resting() == 0, timeout_s=PATIENCE_S, what="every order has expired")
        took_s = time.monotonic() - began
    worker.terminate()
    title = f"{expected:,} DAY orders expired, beside {PLACEMENTS:g} placements/s"
    remarks = f"{took_s:.1f} s in all; p99 of the placements meanwhile {beside.p99_ms:.0f} ms"
    figure = Figure("expiry", title, "orders/s", [expected / took_s], "sweeping, alone", [reference], remarks=remarks)
    return figure.at_least("rate", figure.value, EXPIRED / EXPIRY_S, unit="orders/s")


def check(services: Services) -> list[str]:
    """Return the failures of a run: rejected orders, orders for which a worker is due, and wrong ledgers."""
    services.settle()
    with session():
        rows = fetch_all(
            "SELECT status, count(*) AS orders FROM trading_order"
            " WHERE status IN ('REJECTED', 'PENDING') OR (status = 'OPEN' AND due_at IS NOT NULL) GROUP BY status"
        )
    wrong = [f"{row['orders']} orders are {row['status']}" for row in rows]
    return wrong + [str(violation) for violation in verify()]


def _unix(moment: datetime) -> float:
    return moment.timestamp()
