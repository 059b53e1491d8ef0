"""Resting orders in the tables, and a feeder that sends quotes of their stocks."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from bench.clients.load import HOST, Connection, LoadError, exchange
from bench.seeding import ACCOUNT_PREFIX, ACCOUNTS, EXCHANGE
from bench.services import Services
from models.database import db, execute, fetch_one, session, transactional, unbounded
from models.identifiers import new_id
from trading.accounts.tokens import create_token
from trading.matching.feed import set_quotes
from trading.rules.charges import charges_for
from trading.rules.margin import margin_for
from trading.rules.sessions import INDIAN_TIME
from trading.rules.terms import Product, Side

RESTING_PREFIX = "REST"
STOCKS = 2_000
LIMIT = Decimal("1000.00")
ABOVE = Decimal("1100.00")  # a market that crosses no order
STEP = Decimal("0.05")

# Places one order for each account, as bench.parts.backlog does; consecutive accounts take consecutive stocks.
PLACE = """
SELECT count(placed) AS placed
FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS new (id, place), LATERAL placement_at_once(
    new.id, (%(accounts)s || lpad(place::text, 12, '0'))::uuid, gen_random_uuid(), %(exchange)s,
    %(prefix)s || (%(first)s + (%(offset)s + place) %% %(stocks)s), NULL, 'BUY', 'INTRADAY', 'LIMIT', 1, %(price)s,
    %(margin)s, %(charges)s, %(items)s, %(on)s, NULL, NULL, NULL)
"""
# Only a worker opens orders, at a thousandth of this speed. Without the triggers the rows get no further events.
OPEN = """
UPDATE trading_order SET fill_model = 'QUOTES', status = 'OPEN', due_at = NULL, watch_price = price,
    waiting_for = 'price', expires_at = clock_timestamp() + %(minutes)s * interval '1 min'
WHERE status = 'PENDING'
"""
END_NOW = "UPDATE trading_order SET expires_at = clock_timestamp() WHERE status = 'OPEN' AND matched_at IS NULL"
LEFT = """
SELECT count(*) AS orders FROM (
    SELECT FROM trading_order WHERE status = 'OPEN' AND {condition} ORDER BY {columns} LIMIT 100000) AS counted
"""
RESTING = LEFT.format(condition="matched_at IS NULL AND watch_price IS NOT NULL", columns="stock_id, side, watch_price")
MATCHED = LEFT.format(condition="matched_at IS NOT NULL", columns="account_id, match_sequence")


def quote_stocks(first: int = 1, stocks: int = STOCKS) -> None:
    """Create numbered stocks with a market above all limits."""
    set_quotes([(EXCHANGE, f"{RESTING_PREFIX}{number}", ABOVE) for number in range(first, first + stocks)])
    with unbounded():
        execute("VACUUM (ANALYZE) stock")


def fill_resting(orders: int, *, first: int = 1, stocks: int = STOCKS, minutes: int = 24 * 60) -> int:
    """Let BUY LIMIT orders at LIMIT rest on numbered stocks, the same number for each account; return their total."""
    quote_stocks(first, stocks)
    rounds = max(1, orders // ACCOUNTS)
    placed = sum(_place(first, stocks, number * ACCOUNTS) for number in range(rounds))
    assert placed == rounds * ACCOUNTS, f"{placed} of {rounds * ACCOUNTS} orders were placed"
    _change_past_the_guards(OPEN, minutes)
    with unbounded():
        execute("VACUUM (ANALYZE) trading_order")
    return placed


def end_all_now() -> None:
    """Set the end of all resting orders to the present."""
    _change_past_the_guards(END_NOW, 0)


def count_resting() -> int:
    """Return the number of resting orders, counted to 100,000."""
    return _count(RESTING)


def count_matched() -> int:
    """Return the number of orders that are matched and not filled, counted to 100,000."""
    return _count(MATCHED)


def _count(statement: str) -> int:
    with session():
        row = fetch_one(statement)
    assert row is not None
    return int(row["orders"])


@transactional
def _place(first: int, stocks: int, offset: int) -> int:
    today: date = datetime.now(INDIAN_TIME).date()
    charges = charges_for(exchange=EXCHANGE, product=Product.INTRADAY, side=Side.BUY, turnover=LIMIT, on=today)
    row = fetch_one(
        PLACE,
        {
            "ids": [new_id() for _ in range(ACCOUNTS)],
            "accounts": ACCOUNT_PREFIX,
            "exchange": EXCHANGE,
            "prefix": RESTING_PREFIX,
            "first": first,
            "offset": offset,
            "stocks": stocks,
            "price": LIMIT,
            "margin": margin_for(Product.INTRADAY, LIMIT, 1),
            "charges": charges.total,
            "items": charges.as_json(),
            "on": today,
        },
    )
    assert row is not None
    return int(row["placed"])


def _change_past_the_guards(statement: str, minutes: int) -> None:
    with unbounded(), db.atomic():
        execute("SET LOCAL session_replication_role = replica")
        execute(statement, {"minutes": minutes})


@dataclass
class Feeder:
    """A client that sends quotes with a book over one connection."""

    services: Services
    connects: bool = True  # this process to the database of these services

    def __post_init__(self) -> None:
        if self.connects:
            self.services.use()
        self.token = create_token(["feed"])[1]
        self.link = Connection(self.services.port)

    def request(self, numbers: Sequence[int], ask: Decimal, **more: object) -> bytes:
        """Return the bytes of a request with one quote for each of these stocks, with further members if given."""
        prices = {"bidPrice": str(ask - STEP), "askPrice": str(ask), "lastPrice": str(ask), **more}
        quotes = [{"exchange": EXCHANGE, "symbol": f"{RESTING_PREFIX}{number}", **prices} for number in numbers]
        body = json.dumps({"quotes": quotes}, separators=(",", ":")).encode()
        head = (
            f"PUT /api/market/quotes HTTP/1.1\r\nHost: {HOST}:{self.services.port}\r\n"
            f"Authorization: Bearer {self.token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def send(self, request: bytes, *, accepted: int) -> tuple[float, int]:
        """Send a request, and return its milliseconds and the number of orders that its quotes have matched."""
        milliseconds, answer = exchange(self.link, request)
        found = json.loads(answer.partition(b"\r\n\r\n")[2])
        if found["accepted"] != accepted or found["notMatched"]:
            raise LoadError(f"quotes were not stored or not matched: {answer[:300]!r}")
        return milliseconds, int(found["matched"])

    def rate(self, requests: Sequence[bytes], *, quotes: int, seconds: float) -> float:
        """Send these requests again and again for some seconds, and return the stored quotes per second."""
        sent, began = 0, time.monotonic()
        while (took_s := time.monotonic() - began) < seconds:
            _, matched = self.send(requests[sent % len(requests)], accepted=quotes)
            assert matched == 0, "a quote above the market has matched orders"
            sent += 1
        return sent * quotes / took_s
