"""Measure CSV exports and the equity of a large account, and the recording of prices: `python -m bench.exports`.

It starts a database and one web process of its own.
"""

import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from statistics import median
from uuid import UUID

import psutil

from bench.clients.load import HOST, build_requests, place_orders
from bench.reports.report import percentiles
from bench.seeding import ACCOUNT_PREFIX, ACCOUNTS, EXCHANGE, token_of
from bench.services import Services, run_to_the_end, running
from embedded.interruption import Interruption
from models.database import DatabaseUnavailable, execute, fetch_one, session, unbounded
from tests.support.processes import Running
from trading.market.equity import Range, equity_curve
from trading.market.recorded_prices import RECORD
from trading.matching.feed import set_quotes

ORDERS, DAYS = 250_000, 30
ENTRIES_EACH = 4
STOCKS, HELD, HELD_BY_ONE = 20_000, 2_000, 100
PREFIX = "HELD"
BIG_ACCOUNT, OTHER_ACCOUNT = 1, 2
PACE = 50.0
ROUNDS = 5
DAY = timedelta(days=1)
RANGES = {
    "1m, a day": Range(timedelta(minutes=1), DAY),
    "1h, 7 days": Range(timedelta(hours=1), 7 * DAY),
    "1h, 30 days": Range(timedelta(hours=1), 30 * DAY),
    "1d, 30 days": Range(DAY, 30 * DAY),
}
PATHS = ("transactions", "orders", "trades")

# A trade every few seconds: each buys one share and sells it again with the next. No trigger tells anybody.
TRADE = """
INSERT INTO trading_order (id, account_id, stock_id, exchange, symbol, side, product, order_type, quantity, price,
                           status, filled_quantity, average_price, position_id, closing_quantity, blocked_margin,
                           charges, charge_items, placed_at, executed_at, due_at)
SELECT gen_random_uuid(), %(account)s, stock.id, position.exchange, position.symbol,
       CASE mod(number, 2) WHEN 0 THEN 'BUY' ELSE 'SELL' END, 'INTRADAY', 'LIMIT', 1, 1000, 'EXECUTED', 1, 1000,
       position.id, 0, 0, 5, '{}', at, at, NULL
FROM (SELECT number, now() - %(days)s * interval '1 day' * (1 - number::numeric / %(orders)s) AS at
      FROM generate_series(0, %(orders)s - 1) AS number) AS traded
JOIN position ON position.symbol = %(prefix)s || mod(number / 2, %(held)s) + 1 AND account_id = %(account)s
JOIN stock ON stock.id = stock_id ORDER BY number
"""
ENTER = """
INSERT INTO fund_transaction (account_id, kind, amount, balance_after, blocked_after, order_id, position_id, created_at)
SELECT account_id, kind, 5, 1000000 + number, 2000, id, position_id, executed_at
FROM (SELECT *, row_number() OVER (ORDER BY placed_at) AS number
      FROM trading_order WHERE account_id = %(account)s) AS traded
CROSS JOIN unnest('{CHARGES, MARGIN_BLOCK, PROFIT, MARGIN_RELEASE}'::text[]) WITH ORDINALITY AS entry (kind, place)
ORDER BY number, place
"""
# The account began before its first trade.
BEGIN = """
WITH entries AS (UPDATE fund_transaction SET created_at = now() - interval '40 days' WHERE account_id = %(account)s)
UPDATE account SET created_at = now() - interval '40 days' WHERE id = %(account)s
"""
HOLD = """
INSERT INTO position (id, account_id, stock_id, exchange, symbol, product, quantity, cost)
SELECT gen_random_uuid(), %(account)s, id, exchange, symbol, 'INTRADAY', 1, 1000 FROM stock
WHERE symbol IN (SELECT %(prefix)s || number FROM generate_series(1, %(held)s) AS number)
"""
PRICES = """
INSERT INTO recorded_price (stock_id, minute, price)
SELECT stock_id, minute, 1000 + mod(extract(epoch FROM minute)::bigint / 60, 7)
FROM (SELECT stock_id FROM position WHERE account_id = %(account)s) AS held
CROSS JOIN generate_series(date_trunc('minute', now()) - interval '30 days', now(), '3 minutes') AS minute
"""
# Reads a response in another process, whose work is not this one's; prints the bytes, the lines and the seconds.
READER = """
import http.client, sys, time
link = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]))
began = time.monotonic()
link.request("GET", sys.argv[3], headers={"Authorization": "Bearer " + sys.argv[4], "Accept": "text/csv"})
response, size, lines = link.getresponse(), 0, 0
while part := response.read1(65536):
    size += len(part)
    lines += part.count(b"\\n")
print(response.status, size, lines, time.monotonic() - began)
"""


def main() -> int:
    """Measure, print the figures, and return 0 if the files were whole."""
    return run_to_the_end(_run, DatabaseUnavailable, http.client.HTTPException)


def _run(interruption: Interruption) -> int:
    with running(interruption, web_concurrency=1) as services:
        print(", ".join(f"{name} {value}" for name, value in services.versions().items()))
        _fill()
        wanted = {"transactions": ENTRIES_EACH * ORDERS + 2, "orders": ORDERS + 1, "trades": ORDERS + 1}
        _export(services, "trades")  # warms the process up
        are_whole = [_export(services, path) == wanted[path] for path in PATHS]
        _beside_placements(services)
        _record()
        _read_equity()
    print("all files were whole" if all(are_whole) else "WRONG: lines are missing")
    return 0 if all(are_whole) else 1


def _fill() -> None:
    account, other = (f"{ACCOUNT_PREFIX}{number:012}" for number in (BIG_ACCOUNT, OTHER_ACCOUNT))
    set_quotes([(EXCHANGE, f"{PREFIX}{number}", Decimal(1000)) for number in range(1, STOCKS + 1)])
    asked = {"account": account, "days": DAYS, "orders": ORDERS, "prefix": PREFIX, "held": HELD_BY_ONE}
    of_other = asked | {"account": other, "held": HELD}
    with unbounded():
        execute("SET session_replication_role = replica")
        for statement in (BEGIN, HOLD, TRADE, ENTER, PRICES):
            execute(statement, asked)
        execute(HOLD, of_other)
        execute("SET session_replication_role = DEFAULT")
        execute("VACUUM (ANALYZE) trading_order, fund_transaction, position, stock, recorded_price")


def _export(services: Services, path: str) -> int:
    """Export a list, print the figures, and return the number of lines."""
    with _memory_of(services.web) as more:
        size, lines, seconds = _read(services, path)
    print(f"{path} as CSV: {lines:,} lines, {size / 1e6:.0f} MB in {seconds:.1f} s, {more[0] / 1e6:.0f} MB more memory")
    return lines


def _read(services: Services, path: str) -> tuple[int, int, float]:
    command = [sys.executable, "-c", READER, HOST, str(services.port), f"/api/trading/{path}", token_of(BIG_ACCOUNT)]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert found[0] == "200", found
    return int(found[1]), int(found[2]), float(found[3])


@contextmanager
def _memory_of(web: Running) -> Iterator[list[int]]:
    """Yield a list that has, after the block, the most memory that the processes had in it beyond that at its start."""
    main = psutil.Process(web.pid)
    processes = [main, *main.children(recursive=True)]
    begin, most, has_ended = _memory(processes), [0], threading.Event()

    def watch() -> None:
        while not has_ended.wait(0.05):
            most[0] = max(most[0], _memory(processes) - begin)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        has_ended.set()
        watcher.join()


def _memory(processes: list[psutil.Process]) -> int:
    return sum(process.memory_info().rss for process in processes)


def _beside_placements(services: Services) -> None:
    """Print the latency of placements of other accounts, alone and beside an export."""
    requests = build_requests(ACCOUNTS, port=services.port)
    for exports, name in enumerate(("alone", "beside an export", "beside two exports")):
        readers = [threading.Thread(target=_read, args=(services, "transactions")) for _ in range(exports)]
        for reader in readers:
            reader.start()
        load = place_orders(services.port, requests, connections=1, seconds=8.0, rate=PACE)
        for reader in readers:
            reader.join()
        found = percentiles(load.latencies_ms)
        print(f"{PACE:.0f} placements/s {name}: p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms")


def _record() -> None:
    """Print the time in which a worker records the prices of a minute, all changed, and none changed."""
    for change in (1, 0):
        with unbounded():
            execute("UPDATE stock SET last_price = last_price + %s WHERE symbol LIKE 'HELD%%'", (change,))
            execute("VACUUM (ANALYZE) stock")
        with session():
            row = fetch_one("SELECT date_trunc('minute', now()) + interval '1 day' AS minute")
            assert row is not None
            begin = time.monotonic()
            number = execute(RECORD, (row["minute"] + timedelta(minutes=1 - change),))
            took = (time.monotonic() - begin) * 1000
        print(f"prices of {STOCKS:,} stocks, {HELD:,} held, {number:,} changed: recorded in {took:.0f} ms")


def _read_equity() -> None:
    """Print the time of a curve of the account, which holds HELD_BY_ONE stocks and has traded all the time."""
    account = UUID(f"{ACCOUNT_PREFIX}{BIG_ACCOUNT:012}")
    for name, asked in RANGES.items():
        times = []
        for _ in range(ROUNDS):
            begin = time.monotonic()
            points = equity_curve(account, asked)
            times.append((time.monotonic() - begin) * 1000)
        print(f"equity, {name}: {len(points)} points, p50 {median(times):.0f} ms")


if __name__ == "__main__":
    sys.exit(main())
