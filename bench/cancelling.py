"""Measure the cancellation of all orders, the close of all positions, and the filters of a large account's orders.

`python -m bench.cancelling` starts a database and a web process of its own. No worker runs, so that orders stay PENDING
until they are cancelled.
"""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

from bench.clients.load import Connection, exchange, request
from bench.seeding import ACCOUNT_PREFIX, EXCHANGE
from bench.services import Services, run_to_the_end, running
from embedded.interruption import Interruption
from models.database import db, execute, unbounded
from schemas.fields import format_timestamp
from trading.matching.feed import set_quotes
from trading.upkeep.verify import verify

ACCOUNT, PAST, LIVE, POSITIONS = 1, 1_000_000, 1_000, 200
BASKET, ROUNDS, READS = 20, 5, 50
PREFIX, PRICE = "MANY", Decimal("1000.00")

# Orders of two years that were cancelled, one in a hundred of them a week after its placement.
FILL = """
INSERT INTO trading_order (id, account_id, stock_id, exchange, symbol, client_order_id, side, product, order_type,
                           quantity, price, status, closing_quantity, blocked_margin, charges, charge_items, due_at,
                           placed_at, updated_at)
SELECT gen_random_uuid(), %(account)s, stock.id, stock.exchange, stock.symbol, 'past-' || number, 'BUY', 'INTRADAY',
       'LIMIT', 1, 10, 'CANCELLED', 0, 0, 0, '{}', NULL, placed_at,
       placed_at + CASE WHEN number %% 100 = 0 THEN interval '7 days' ELSE interval '1 second' END
FROM generate_series(1, %(past)s) AS number
CROSS JOIN LATERAL (SELECT now() - interval '8 days' - number * interval '60 seconds' AS placed_at) AS moment
JOIN stock ON stock.exchange = %(exchange)s AND stock.symbol = %(prefix)s || (1 + number %% %(stocks)s)
"""


def main(interruption: Interruption) -> int:
    """Measure, print the figures, and return 0 if the ledgers are right."""
    with running(interruption) as services:
        print(", ".join(f"{name} {value}" for name, value in services.versions().items()))
        _fill()
        print(f"an account with {PAST:,} past orders")
        print(f"cancel all of {LIVE:,} orders: {_summary(list(_cancellations(services)))}")
        print(f"close all of {POSITIONS} positions: {_summary(list(_closings(services)))}")
        for query in _queries():
            reads = [_answer(services, "GET", f"orders?{query}")[0] for _ in range(READS)]
            print(f"GET orders?{query.partition('T')[0]}: p50 {median(reads):.1f} ms")
        wrong = verify()
    print(f"{len(wrong)} violations", *wrong[:5], sep="\n")
    return 1 if wrong else 0


def _fill() -> None:
    set_quotes([(EXCHANGE, f"{PREFIX}{number}", PRICE) for number in range(1, POSITIONS + 1)])
    asked = {"account": f"{ACCOUNT_PREFIX}{ACCOUNT:012}", "past": PAST, "exchange": EXCHANGE, "prefix": PREFIX}
    with unbounded(), db.atomic():
        execute("SET LOCAL session_replication_role = replica")
        execute(FILL, asked | {"stocks": POSITIONS})
    with unbounded():
        execute("VACUUM (ANALYZE) trading_order")


def _cancellations(services: Services) -> Iterator[float]:
    """Yield the milliseconds of each cancellation of all orders, among them some for each stock."""
    for _ in range(ROUNDS):
        _place(services, LIVE)
        took, answer = _answer(services, "DELETE", "orders")
        assert (len(answer["cancelled"]), answer["refused"]) == (LIVE, []), answer["refused"][:1]
        yield took


def _closings(services: Services) -> Iterator[float]:
    """Yield the milliseconds of each close of all positions; the positions are opened anew for it."""
    for _ in range(ROUNDS):
        _place(services, POSITIONS)
        services.settle()
        took, answer = _answer(services, "POST", "positions/close")
        assert len(answer["placed"]) == POSITIONS, answer["refused"][:1]
        services.settle()
        yield took


def _place(services: Services, number: int) -> None:
    for start in range(0, number, BASKET):
        orders = [
            {"exchange": EXCHANGE, "symbol": f"{PREFIX}{1 + index % POSITIONS}", "side": "BUY", "quantity": 1}
            | {"orderType": "LIMIT", "price": str(PRICE)}
            for index in range(start, start + BASKET)
        ]
        _, answer = _answer(services, "POST", "orders/batch", {"orders": orders})
        assert {result["status"] for result in answer["results"]} == {202}, answer


def _queries() -> Iterator[str]:
    yield "status=PENDING,OPEN"
    yield "clientOrderId=past-500000"
    for days in (0, 30, 600):
        moment = datetime.now(UTC) - timedelta(days=days, minutes=5)
        yield f"updatedFrom={format_timestamp(moment)}"


def _answer(services: Services, method: str, path: str, body: Any = None) -> tuple[float, Any]:
    """Return the milliseconds of a request of the account, and its answer."""
    data = b"" if body is None else json.dumps(body).encode()
    took, answer = exchange(
        Connection(services.port), request(services.port, method, f"/api/trading/{path}", ACCOUNT, data)
    )
    head, _, text = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), answer[:500]
    return took, json.loads(text)


def _summary(times_ms: list[float]) -> str:
    return f"p50 {median(times_ms):.0f} ms, slowest {max(times_ms):.0f} ms"


if __name__ == "__main__":
    sys.exit(run_to_the_end(main, AssertionError))
