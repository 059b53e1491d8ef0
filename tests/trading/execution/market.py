"""Short functions for tests of orders that rest: place them as a placement writes them, and set quotes with a book."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from models.identifiers import new_id
from tests.support.trading import SYMBOL, Row, one, order_now, rows, run
from trading.market.quotes import GivenQuote
from trading.matching.feed import MarketRules, Reception, receive_quotes
from trading.rules.charges import charges_for
from trading.rules.margin import margin_for

WRITE = """
SELECT stock_id FROM order_write(
    %(id)s, %(account)s, %(stock)s, 'NSE', %(symbol)s, NULL, %(side)s, %(product)s, %(type)s, %(quantity)s, %(price)s,
    %(trigger)s, %(validity)s, NULL, %(protection)s, false, NULL, 'QUOTES', 'book', %(ends_at)s, %(closing)s,
    %(margin)s, %(charges)s, %(items)s, NULL, NULL, NULL)
"""
DEFAULTS = {
    "price": None,
    "trigger": None,
    "validity": "DAY",
    "protection": None,
    "ends_at": None,
    "closing": 0,
    "symbol": SYMBOL,
    "product": "INTRADAY",
}


def rest(account_id: UUID, side: str, quantity: int, order_type: str = "LIMIT", **terms: Any) -> Row:
    """Place an order of an account that trades on quotes, and return its row, PENDING."""
    given = DEFAULTS | terms | {"account": account_id, "side": side, "quantity": quantity, "type": order_type}
    assumed = Decimal(given["price"] or given["trigger"] or "100.00")
    charges = charges_for(
        exchange="NSE",
        product=given["product"],
        side=side,
        turnover=assumed * quantity,
        on=one("SELECT (market_now() AT TIME ZONE 'Asia/Kolkata')::date"),
    )
    money = {
        "margin": margin_for(given["product"], assumed, quantity - given["closing"]),
        "charges": charges.total,
        "items": charges.as_json(),
    }
    stock = one("SELECT id FROM stock WHERE symbol = %s", given["symbol"])
    return _written(given | money | {"id": new_id(), "stock": stock})


def hold(account_id: UUID) -> Row:
    """Place an order that waits for its session, and return its row."""
    order = rest(account_id, "BUY", 1, price="10.00")
    run("UPDATE trading_order SET due_at = NULL, waiting_for = 'session' WHERE id = %s", order["id"])
    return order_now(order)


def _written(parameters: dict[str, Any]) -> Row:
    from models import buckets, database

    with buckets.of(parameters["account"]), database.session(), database.db.atomic():
        database.fetch_all(WRITE, parameters)
        (order,) = database.fetch_all("SELECT * FROM trading_order WHERE id = %(id)s", parameters)
    return order


def quote(bid: str | None, ask: str | None, last: str | None, *, symbol: str = SYMBOL, **rest: Any) -> Reception:
    """Set a stock's quote, and return what its reception says; None is a side that nobody offers."""
    prices = {"bid_price": bid, "ask_price": ask, "last_price": last}
    given = {name: None if price is None else Decimal(price) for name, price in prices.items()}
    return receive_quotes([GivenQuote("NSE", symbol, **given, **rest)], MarketRules(max_age_s=60))


def let_quote_age(seconds: int = 61) -> None:
    """Make all quotes older."""
    run("UPDATE stock SET quoted_at = quoted_at - %s * interval '1 s'", seconds)


def state(order: Row) -> tuple[str, Decimal | None]:
    """Return an order's status and the price at which it was filled."""
    now = order_now(order)
    return now["status"], now["average_price"]


def events(order: Row) -> list[str]:
    """Return the types of an order's events in their order."""
    found = rows("SELECT type FROM event WHERE data->>'id' = %s AND type LIKE 'order.%%' ORDER BY id", str(order["id"]))
    return [row["type"] for row in found]


def now() -> datetime:
    """Return the database's time."""
    moment: datetime = one("SELECT market_now()")
    return moment
