"""Measure the settlement of many deliveries and the lists of a large account: `python -m bench.settling`.

It starts a database and a web process of its own.
"""

import json
import sys
import time
from decimal import Decimal
from statistics import median

from bench.clients.load import Connection, exchange, request
from bench.seeding import ACCOUNT_PREFIX, ACCOUNTS, EXCHANGE
from bench.services import running
from embedded.interruption import Interruption
from models.database import db, execute, unbounded
from trading.day.settling import settle
from trading.matching.feed import set_quotes
from trading.upkeep.verify import verify

DELIVERIES = 100_000
PER_ACCOUNT = DELIVERIES // ACCOUNTS
BIG_ACCOUNT, MANY = 1, 1_000
PREFIX = "HELD"
COST = 1000
READS = 50

# Every position with the order that has made it; without the triggers nobody is told.
HOLD = """
WITH held AS (
    INSERT INTO position (id, account_id, stock_id, exchange, symbol, product, quantity, cost, blocked_margin,
                          bucket_day, today_quantity, figures_day, day_buy_quantity, day_buy_value)
    SELECT gen_random_uuid(), account.id, stock.id, stock.exchange, stock.symbol, 'DELIVERY', 1, %(cost)s, %(cost)s,
           today - 1, 1, today - 1, 1, %(cost)s
    FROM generate_series(%(first)s, %(last)s) AS number
    JOIN account ON account.id = (%(accounts)s || lpad(number::text, 12, '0'))::uuid
    CROSS JOIN generate_series(1, %(stocks)s) AS place
    JOIN stock ON stock.exchange = %(exchange)s AND stock.symbol = %(prefix)s || place
    CROSS JOIN (SELECT (market_now() AT TIME ZONE 'Asia/Kolkata')::date AS today) AS clock
    ON CONFLICT (account_id, stock_id, product) DO NOTHING
    RETURNING *)
INSERT INTO trading_order (id, account_id, stock_id, exchange, symbol, side, product, order_type, quantity, price,
                           status, filled_quantity, average_price, position_id, closing_quantity, blocked_margin,
                           charges, charge_items, executed_at, due_at, placed_at)
SELECT gen_random_uuid(), account_id, stock_id, exchange, symbol, 'BUY', 'DELIVERY', 'LIMIT', 1, %(cost)s, 'EXECUTED',
       1, %(cost)s, id, 0, 0, 0, '{}', now(), NULL, now() - interval '8 days' FROM held
"""
BLOCK = """
WITH added AS (
    UPDATE account SET blocked_margin = blocked_margin + held.cost
    FROM (SELECT account_id, sum(cost) AS cost FROM position GROUP BY account_id) AS held
    WHERE account.id = held.account_id RETURNING account.id, balance, blocked_margin, held.cost)
INSERT INTO fund_transaction (account_id, kind, amount, balance_after, blocked_after, position_id)
SELECT id, 'MARGIN_BLOCK', cost, balance, blocked_margin, (SELECT position.id FROM position WHERE account_id = added.id
       ORDER BY position.id LIMIT 1) FROM added
"""


def main() -> int:
    """Measure, print the figures, and return 0 if the ledgers are right."""
    interruption = Interruption()
    interruption.install()
    with running(interruption) as services:
        print(", ".join(f"{name} {value}" for name, value in services.versions().items()))
        _hold_deliveries()
        for day in ("bought yesterday", "bought the day before"):
            start = time.monotonic()
            settlement = settle(None, limit_s=120)
            print(f"{settlement.settled} positions {day} settled in {time.monotonic() - start:.1f} s, {settlement}")
            with unbounded():
                execute("UPDATE position SET bucket_day = bucket_day - 1, t1_settles_on = t1_settles_on - 1")
                execute("VACUUM (ANALYZE) position")
        for path in ("positions", "holdings"):
            pages = [_read(services.port, path) for _ in range(READS)]
            print(f"{path} of an account with {MANY:,} of them, a page of 200: p50 {median(pages):.1f} ms")
            print(f"{path}, all of them in pages of 200: p50 {median(_read_all(services.port, path)):.1f} ms")
        wrong = verify()
    for violation in wrong[:5]:
        print(f"WRONG: {violation}")
    print(f"{len(wrong)} violations")
    return 1 if wrong else 0


def _hold_deliveries() -> None:
    set_quotes([(EXCHANGE, f"{PREFIX}{number}", Decimal(COST)) for number in range(1, MANY + 1)])
    asked = {"accounts": ACCOUNT_PREFIX, "exchange": EXCHANGE, "prefix": PREFIX, "cost": COST}
    with unbounded(), db.atomic():
        execute("SET LOCAL session_replication_role = replica")
        execute(HOLD, asked | {"first": 1, "last": ACCOUNTS, "stocks": PER_ACCOUNT})
        execute(HOLD, asked | {"first": BIG_ACCOUNT, "last": BIG_ACCOUNT, "stocks": MANY})
    with unbounded():
        execute(BLOCK)
        execute("VACUUM (ANALYZE) position")


def _read(port: int, path: str, query: str = "limit=200") -> float:
    return _timed(port, f"/api/trading/{path}?{query}")[0]


def _read_all(port: int, path: str) -> list[float]:
    """Return the times of five readings of a whole list, in milliseconds."""
    return [_read_pages(port, path) for _ in range(5)]


def _read_pages(port: int, path: str) -> float:
    took, cursor = _timed(port, f"/api/trading/{path}?limit=200")
    while cursor is not None:
        more, cursor = _timed(port, f"/api/trading/{path}?limit=200&cursor={cursor}")
        took += more
    return took


def _timed(port: int, path: str) -> tuple[float, str | None]:
    """Return the milliseconds of a request of the large account, and its next cursor."""
    milliseconds, answer = exchange(Connection(port), request(port, "GET", path, BIG_ACCOUNT))
    return milliseconds, json.loads(answer.partition(b"\r\n\r\n")[2])["nextCursor"]


if __name__ == "__main__":
    sys.exit(main())
