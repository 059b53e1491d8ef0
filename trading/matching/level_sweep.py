"""The level sweep: an alarm that finds OPEN orders which the present quote crosses, although no quote matched them.

It judges only the two sides and the last price against triggers, since the trades of the past are gone. It finds a few
per cent of what could be lost, so that its counter is no proof; but it must stay at 0.
"""

import time
from datetime import datetime
from uuid import UUID

from models.database import fetch_all, transactional
from runtime import metrics
from runtime.logs import get_logger
from trading.market.calendars import days as days_of
from trading.market.quotes import lock_stocks
from trading.matching.buckets import PREPARE, lock_exclusive
from trading.matching.crossing import CROSSED, Match, match
from trading.matching.feed import STOCKS_PER_TRANSACTION, MarketRules
from trading.rules.expiry import session_end
from trading.rules.matching import crosses_now
from trading.rules.quotes import is_usable_now, quote_of_stock
from trading.rules.sessions import indian_day

# Without a book the last price stands for both sides; a quote with one side only has no other.
CROSSED_STOCKS = f"""
{PREPARE}
SELECT quote.stock_id FROM (
    SELECT id AS stock_id, last_price AS last,
        CASE WHEN bid_price IS NULL AND ask_price IS NULL THEN last_price ELSE ask_price END AS buys,
        CASE WHEN bid_price IS NULL AND ask_price IS NULL THEN last_price ELSE bid_price END AS sells
    FROM stock WHERE is_usable AND NOT is_halted
        AND (%(max_age_s)s = 0 OR quoted_at >= market_now() - %(max_age_s)s * interval '1 s')) AS quote
CROSS JOIN LATERAL (SELECT FROM ({CROSSED}) AS watched LIMIT 1) AS crossed
LIMIT %(limit)s
"""

LOGGED = 20  # orders

logger = get_logger(__name__)


def run_once(rules: MarketRules, *, limit: int = STOCKS_PER_TRANSACTION) -> list[Match]:
    """Match the orders of up to limit stocks that the present quotes cross, and return them."""
    stock_ids = _crossed_stocks(rules, min(limit, STOCKS_PER_TRANSACTION))
    if not stock_ids:
        return []
    begin = time.monotonic()
    matches = _match(stock_ids, rules)
    if matches:
        metrics.count_late_matches([one.rule for one in matches], time.monotonic() - begin)
        order_ids = [str(one.order_id) for one in matches[:LOGGED]]
        logger.error("matches_found_late", orders=len(matches), order_ids=order_ids)
    return matches


@transactional
def _crossed_stocks(rules: MarketRules, limit: int) -> list[UUID]:
    """Return stocks whose quote reaches a watched order; some of these orders are held back by the rules."""
    rows = fetch_all(CROSSED_STOCKS, {"max_age_s": rules.max_age_s, "limit": limit})
    return [row["stock_id"] for row in rows]


@transactional
def _match(stock_ids: list[UUID], rules: MarketRules) -> list[Match]:
    days = days_of(rules.calendar)
    lock_exclusive(stock_ids)
    stocks, now = lock_stocks(stock_ids)
    if now is None:
        return []
    quotes = {
        stock_id: quote_of_stock(stock, is_usable=True, day=indian_day(now))
        for stock_id, stock in stocks.items()
        if is_usable_now(stock, now=now, max_age_s=rules.max_age_s, days=days)
    }

    def session_end_of(stock_id: UUID) -> datetime | None:
        return session_end(now, days=days, session_class=stocks[stock_id]["session_class"])

    return match(quotes, crosses_now, now, session_end_of)
