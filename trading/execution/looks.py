"""The looks at orders of QUOTES accounts: each order is judged on the present quote of its stock."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from config import settings
from models.database import fetch_all
from models.rows import OrderRow, StockRow
from trading.market.calendars import days
from trading.rules.expiry import session_end
from trading.rules.matching import first_look
from trading.rules.quotes import Quote, is_usable_now, quote_of_stock
from trading.rules.resting import RestingOrder, Verdict
from trading.rules.terms import FillModel

# A statement of its own after every lock: a quote that commits meanwhile is later than the look.
QUOTES = """
SELECT stock.*, now AS read_at, (now AT TIME ZONE 'Asia/Kolkata')::date AS day
FROM stock, market_now() AS now WHERE id = ANY(%s::uuid[])
"""


class QuotedStock(StockRow):
    """A stock with the time and the session day at which it was read."""

    read_at: datetime
    day: date


class Judged(NamedTuple):
    """An order's verdict on a quote. An order of a stock that is not active or past its end does not fill.

    ends_at is the end of the session if the order ends with it from now on.
    """

    verdict: Verdict
    quote: Quote
    is_expired: bool
    is_active: bool
    ends_at: datetime | None = None


def judge(orders: Iterable[OrderRow]) -> dict[UUID, Judged]:
    """Read the quotes of the unmatched QUOTES orders among these, and return the judgements by order id.

    All other orders have no judgement. The caller holds every lock that it needs.
    """
    judged = [order for order in orders if order["fill_model"] == FillModel.QUOTES and order["matched_at"] is None]
    if not judged:
        return {}
    stock_ids = sorted({order["stock_id"] for order in judged})
    stocks = {row["id"]: row for row in fetch_all(QUOTES, (stock_ids,), QuotedStock)}
    quotes = {stock_id: _quote(stock) for stock_id, stock in stocks.items()}
    return {order["id"]: _judge(order, stocks[order["stock_id"]], quotes[order["stock_id"]]) for order in judged}


def _quote(stock: QuotedStock) -> Quote:
    now = stock["read_at"]
    is_usable = is_usable_now(
        stock, now=now, max_age_s=settings().max_quote_age_s, days=days(settings().market_calendar)
    )
    return quote_of_stock(stock, is_usable=is_usable, day=stock["day"])


def _judge(order: OrderRow, stock: QuotedStock, quote: Quote) -> Judged:
    is_expired = order["expires_at"] is not None and order["expires_at"] <= stock["read_at"]
    if is_expired or not stock["is_active"]:
        return Judged(Verdict(), quote, is_expired, stock["is_active"])
    resting = RestingOrder.of_row(order)
    verdict = first_look(resting, quote)
    ends_at = _session_end(stock) if verdict.ends_with_session(resting) else None
    return Judged(verdict, quote, is_expired, stock["is_active"], ends_at)


def _session_end(stock: QuotedStock) -> datetime | None:
    known = days(settings().market_calendar)
    return session_end(stock["read_at"], days=known, session_class=stock["session_class"])
