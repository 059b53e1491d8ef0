"""The short way of quotes that give only last prices: one statement stores them, unless they reach any order.

It stands for trading.market.quotes.take and store, and a test holds both ways equal. Without a book the last price
stands for both sides, and a trade at this price reaches no order that the price itself does not reach: nothing has to
be known of new trades.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from models import buckets
from models.database import array_of, db, fetch_one, session
from trading.matching.buckets import LOCK_EXCLUSIVE, lock_parameters
from trading.matching.crossing import CROSSED
from trading.rules.candles import Trade, minute_of
from trading.rules.quotes import QuoteOutcome

STORE = """
WITH clock AS MATERIALIZED (SELECT market_now() AS now),
given AS MATERIALIZED (
    SELECT given.* {is_new} FROM unnest(%(ids)s::uuid[], %(prices)s::numeric[]) WITH ORDINALITY
        AS given (id, price, place) {before}),
{classes}
moment AS MATERIALIZED (
    SELECT now,
        EXISTS (SELECT FROM (SELECT id AS stock_id, price AS buys, price AS sells, price AS last FROM given) AS quote
                CROSS JOIN LATERAL ({crossed}) AS crossed) AS reaches
    FROM clock),
stored AS (
    UPDATE stock SET quote_number = quote_number + 1, is_usable = {is_open} AND NOT is_halted,
        usable_number = CASE WHEN {is_open} AND NOT is_halted THEN quote_number + 1 ELSE usable_number END,
        last_price = given.price, last_price_at = now, quoted_at = now,
        bid_price = NULL, ask_price = NULL, bid_quantity = NULL, ask_quantity = NULL
    FROM given, moment
    WHERE stock.id = given.id AND stock.id = ANY(%(ids)s::uuid[]) AND (quoted_at IS NULL OR quoted_at <= now)
        AND is_active
        AND NOT reaches
    RETURNING stock.id, quote_number, {is_open} AS is_open, stock.is_halted {returned})
SELECT now, reaches, (SELECT count(*) FROM stored) AS stored,
    ARRAY(SELECT id FROM stored WHERE NOT is_open) AS closed,
    ARRAY(SELECT id FROM stored WHERE is_open AND is_halted) AS halted,
    ARRAY(SELECT given.id FROM given WHERE NOT EXISTS (SELECT FROM stored WHERE stored.id = given.id)) AS missed,
    CASE WHEN %(are_heard)s THEN ARRAY(
        SELECT quote_number FROM given JOIN stored USING (id) ORDER BY given.place) END AS numbers
    {traded}
FROM moment
"""
# With recording, also the places and the quote numbers of the prices that are new trades, as they are by
# trading.rules.quotes.brings_new_trade. Within the statement the table has the stocks as they were before it.
RECORDED = {
    "is_new": """, before.last_price IS DISTINCT FROM given.price AND before.newest_trade_at IS NULL
        AND before.largest_volume IS NULL AS is_new""",
    "before": "LEFT JOIN stock AS before ON before.id = given.id AND before.id = ANY(%(ids)s::uuid[])",
    "returned": ", place, is_new",
    "traded": """, ARRAY(
        SELECT ARRAY[place, quote_number] FROM stored WHERE is_new AND is_open AND NOT is_halted) AS traded""",
}
# The classes of stocks whose session is open.
OPEN_CLASSES = """
open_classes AS MATERIALIZED (
    SELECT class FROM trading_session, clock WHERE calendar = %(calendar)s
        AND day = (now AT TIME ZONE 'Asia/Kolkata')::date AND opens_at <= now AND now < closes_at),
"""
IS_OPEN = "(session_class IN (SELECT class FROM open_classes))"


def _statement(*, has_calendar: bool, are_recorded: bool) -> str:
    """Return the statement for a market with or without a calendar, whose new trades are told or not.

    Several statements sent as one text are one transaction, which ends with them: a portion costs one round trip. The
    lock is a statement of its own all the same, and the next one reads what was committed before it.
    """
    recorded = RECORDED if are_recorded else dict.fromkeys(RECORDED, "")
    classes, is_open = (OPEN_CLASSES, IS_OPEN) if has_calendar else ("", "true")
    return f"{LOCK_EXCLUSIVE};{STORE.format(crossed=CROSSED, classes=classes, is_open=is_open, **recorded)}"


STATEMENTS = {
    (has_calendar, are_recorded): _statement(has_calendar=has_calendar, are_recorded=are_recorded)
    for has_calendar in (False, True)
    for are_recorded in (False, True)
}


class Stored(NamedTuple):
    """The number of stored quotes, the outcomes of those that match nothing, and the stocks that took none.

    A stock takes no quote if it has a later one, is inactive, or does not exist. `numbers` are those of the stored
    quotes in the order of their stocks, or None if nobody asks for them, and `trades` the new trades that the quotes
    bring, none if nobody asks for them; `at` is the quotes' time.
    """

    quotes: int
    outcomes: dict[UUID, str]
    missed: set[UUID]
    numbers: list[int] | None
    at: datetime
    trades: list[Trade]


def store_last_prices(
    stock_ids: Sequence[UUID],
    prices: Sequence[Decimal],
    calendar: str | None,
    are_heard: bool = False,
    are_recorded: bool = False,
) -> Stored | None:
    """Store last prices as quotes of now, under the exclusive locks of their stocks' buckets.

    Return None if the prices reach any order: then nothing is stored. One statement cannot see the orders of several
    buckets of accounts, so it stores nothing there either. Without a calendar the market is always open. The
    database's own time and sessions decide, so that no remembered session is used. If quotes are heard, somebody wants
    to know their numbers; if they are recorded, their trades.
    """
    if db.in_transaction():
        raise RuntimeError("last prices may not be stored inside another transaction")
    if buckets.are_several():
        return None
    parameters: dict[str, Any] = {"ids": array_of(stock_ids), "prices": array_of(prices), "calendar": calendar}
    parameters["are_heard"] = are_heard
    with session():
        statement = STATEMENTS[calendar is not None, are_recorded]
        row = fetch_one(statement, parameters | lock_parameters(stock_ids))
    assert row is not None
    if row["reaches"]:
        return None
    reasons = {"closed": QuoteOutcome.SESSION_CLOSED, "halted": QuoteOutcome.HALTED}
    outcomes = {stock_id: str(reason) for name, reason in reasons.items() for stock_id in row[name]}
    trades = [
        Trade(stock_ids[place - 1], minute_of(row["now"]), prices[place - 1], number)
        for place, number in row.get("traded", ())
    ]
    return Stored(row["stored"], outcomes, set(row["missed"]), row["numbers"], row["now"], trades)
