"""Short functions for the tests of matching: put quotes, and insert orders that rest."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.models.rows import insert_order
from tests.support.trading import row_of, rows
from trading.market.quotes import GivenQuote
from trading.matching.feed import MarketRules, Reception, receive_quotes

SYMBOL = "TCS"
MONEY = ("_price", "_circuit", "_close")


def now(seconds: float = 0) -> datetime:
    """Return the time, or one that is this many seconds later."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


def given(symbol: str = SYMBOL, **values: Any) -> GivenQuote:
    """Return a quote of a stock of NSE; prices are texts."""
    read = {name: Decimal(v) if isinstance(v, str) and name.endswith(MONEY) else v for name, v in values.items()}
    return GivenQuote("NSE", symbol, **read)


def q(bid: str | None, ask: str | None, last: str | None = None, symbol: str = SYMBOL, **values: Any) -> GivenQuote:
    """Return a quote with a book: q("99.95", "100.00", "99.98")."""
    return given(symbol, bid_price=bid, ask_price=ask, last_price=last, **values)


def put(
    *quotes: GivenQuote, max_age_s: int = 60, calendar: str | None = None, records_candles: bool = False, **values: Any
) -> Reception:
    """Store quotes, or one quote with these values."""
    rules = MarketRules(max_age_s, calendar, records_candles)
    return receive_quotes(list(quotes) or [given(**values)], rules)


def stock_now(symbol: str = SYMBOL) -> dict[str, Any]:
    """Return a stock's row."""
    (row,) = rows("SELECT * FROM stock WHERE symbol = %s", symbol)
    return row


def rest(account_id: UUID, stock_id: UUID, side: str = "BUY", price: str | None = "100.00", **columns: Any) -> UUID:
    """Insert an OPEN order that rests: a LIMIT at a price, a MARKET without one, a stop with trigger_price."""
    trigger = columns.get("trigger_price")
    kinds = {(True, False): "LIMIT", (False, False): "MARKET", (True, True): "STOP_LIMIT", (False, True): "STOP_MARKET"}
    order: dict[str, Any] = {
        "status": "OPEN",
        "fill_model": "QUOTES",
        "side": side,
        "price": price,
        "order_type": kinds[price is not None, trigger is not None],
        "due_at": None,
    }
    if trigger is not None and "triggered_at" not in columns:
        order |= {"watch_trigger": trigger, "waiting_for": "trigger"}
    elif price is not None:
        order |= {"watch_price": price, "waiting_for": "price"}
    else:
        order |= {"watch_price": "10000000.00" if side == "BUY" else "0.01", "waiting_for": "quote"}
    return insert_order(account_id, stock_id, **(order | columns))


def order_of(order_id: UUID) -> dict[str, Any]:
    """Return an order's row."""
    return dict(row_of("trading_order", order_id))


def match_of(order_id: UUID) -> tuple[Decimal, str] | None:
    """Return the price and the rule of an order's match, None if it has none."""
    order = order_of(order_id)
    return None if order["matched_at"] is None else (order["match_price"], order["fill"]["rule"])
