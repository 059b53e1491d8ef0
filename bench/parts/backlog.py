"""The rate of sweeps on a large backlog, compared with pgbench."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal

from bench.clients.load import CONNECTIONS
from bench.parts.placement import Bench
from bench.reports.figures import Figure
from bench.seeding import ACCOUNT_PREFIX, ACCOUNTS, EXCHANGE, PRICE, STOCKS, SYMBOL_PREFIX
from models.database import execute, fetch_one, transactional, unbounded
from models.identifiers import new_id
from trading.execution.sweeping import MAX_BATCH, sweep_once
from trading.rules.charges import charges_for
from trading.rules.margin import margin_for
from trading.rules.sessions import INDIAN_TIME
from trading.rules.terms import Product, Side

PENDING = 50_000
RATIO_REQUIRED = 1.0
DEFAULT_BATCH = 50  # ORDER_WORKER_BATCH_LIMIT

# Places one order for each account with the product's own function. The ids grow with time, as the product's do: each
# random id would touch another page of every index on ids.
FILL = """
SELECT count(placed) AS placed
FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS new (id, place), LATERAL placement_at_once(
    new.id, (%(prefix)s || lpad((%(first)s + place - 1)::text, 12, '0'))::uuid, gen_random_uuid(), %(exchange)s,
    %(symbol)s, NULL, 'BUY', 'INTRADAY', 'LIMIT', 1, %(price)s, %(margin)s, %(charges)s, %(items)s, %(on)s,
    NULL, NULL, NULL)
"""


def sweeping(bench: Bench, *, pending: int = PENDING) -> Figure:
    """Sweep a backlog of orders of 1,000 accounts in rounds that alternate with placements by pgbench."""
    bench.placed += fill(pending)
    rates: list[float] = []
    reference_rates: list[float] = []
    for number in range(bench.rounds):
        for side in ("sweep", "pgbench") if number % 2 == 0 else ("pgbench", "sweep"):
            if side == "sweep":
                rates.append(sweep_rate(pending // bench.rounds, limit=MAX_BATCH))
            else:
                reference_rates.append(bench.refer(accounts=ACCOUNTS, clients=CONNECTIONS))
    small = sweep_rate(min(2_000, pending // bench.rounds), limit=DEFAULT_BATCH)
    bench.services.settle()
    figure = Figure(
        "sweeping",
        f"sweeping {pending:,} PENDING orders of {ACCOUNTS:,} accounts, one process, batches of {MAX_BATCH}",
        "orders/s",
        rates,
        "pgbench, placing with 16 clients",
        reference_rates,
        remarks=f"in batches of {DEFAULT_BATCH}, a worker's default: {small:.0f} orders/s",
    )
    return figure.at_least("ratio", figure.ratio or 0.0, RATIO_REQUIRED)


def sweep_rate(orders: int, *, limit: int) -> float:
    """Sweep this number of orders, or all that are PENDING, and return the executed orders per second."""
    executed, began = 0, time.monotonic()
    while executed < orders:
        counts = sweep_once(limit=limit)
        assert counts.executed == counts.claimed, f"a sweep without other traffic returned {counts}"
        if not counts.claimed:
            break
        executed += counts.executed
    return executed / (time.monotonic() - began)


def fill(orders: int) -> int:
    """Place orders inside the server, the same number for each account, and return their total."""
    rounds = orders // ACCOUNTS
    halves = (range(1, ACCOUNTS // 2 + 1), range(ACCOUNTS // 2 + 1, ACCOUNTS + 1))
    with ThreadPoolExecutor(len(halves)) as pool:
        placed = sum(pool.map(_place, halves * rounds, (number // 2 for number in range(2 * rounds))))
    assert placed == rounds * ACCOUNTS, f"{placed} of {orders} orders were placed"
    with unbounded():
        execute("ANALYZE trading_order")
    return placed


@transactional
def _place(accounts: range, number: int) -> int:
    today: date = datetime.now(INDIAN_TIME).date()
    margin: Decimal = margin_for(Product.INTRADAY, PRICE, 1)
    charges = charges_for(exchange=EXCHANGE, product=Product.INTRADAY, side=Side.BUY, turnover=PRICE, on=today)
    row = fetch_one(
        FILL,
        {
            "first": accounts[0],
            "ids": [new_id() for _ in accounts],
            "prefix": ACCOUNT_PREFIX,
            "exchange": EXCHANGE,
            "symbol": f"{SYMBOL_PREFIX}{1 + number % STOCKS}",
            "price": PRICE,
            "margin": margin,
            "charges": charges.total,
            "items": charges.as_json(),
            "on": today,
        },
    )
    assert row is not None
    return int(row["placed"])
