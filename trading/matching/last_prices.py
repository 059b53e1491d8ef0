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

from models.database import array_of, db, fetch_one, session
from trading.matching.buckets import LOCK_EXCLUSIVE, lock_parameters
from trading.matching.crossing import CROSSED
from trading.rules.quotes import QuoteOutcome

# Several statements sent as one text are one transaction, which ends with them: a portion costs one round trip. The
# lock is a statement of its own all the same, and the next one reads what was committed before it.
STORE = f"""{LOCK_EXCLUSIVE};
WITH clock AS MATERIALIZED (SELECT market_now() AS now),
given AS MATERIALIZED (SELECT * FROM unnest(%(ids)s::uuid[], %(prices)s::numeric[]) AS given (id, price)),
moment AS MATERIALIZED (
    SELECT now, %(always_open)s OR coalesce(now >= %(opens_at)s AND now < %(closes_at)s, false) AS is_open,
        EXISTS (SELECT FROM (SELECT id AS stock_id, price AS buys, price AS sells, price AS last FROM given) AS quote
                CROSS JOIN LATERAL ({CROSSED}) AS crossed) AS reaches
    FROM clock),
stored AS (
    UPDATE stock SET quote_number = quote_number + 1, is_usable = is_open AND NOT is_halted,
        usable_number = CASE WHEN is_open AND NOT is_halted THEN quote_number + 1 ELSE usable_number END,
        last_price = given.price, last_price_at = now, quoted_at = now,
        bid_price = NULL, ask_price = NULL, bid_quantity = NULL, ask_quantity = NULL
    FROM given, moment
    WHERE stock.id = given.id AND stock.id = ANY(%(ids)s::uuid[]) AND (quoted_at IS NULL OR quoted_at <= now)
        AND is_active
        AND NOT reaches
    RETURNING stock.id, stock.is_usable)
SELECT is_open, reaches, (SELECT count(*) FROM stored) AS stored,
    ARRAY(SELECT id FROM stored WHERE NOT is_usable) AS unusable,
    ARRAY(SELECT given.id FROM given WHERE NOT EXISTS (SELECT FROM stored WHERE stored.id = given.id)) AS missed
FROM moment
"""


class SessionHours(NamedTuple):
    """The beginning and the end of the day's session; None on both if the market is closed all day."""

    opens_at: datetime | None
    closes_at: datetime | None


class Stored(NamedTuple):
    """The number of stored quotes, the outcomes of those that match nothing, and the stocks that took none.

    A stock takes no quote if it has a later one, is inactive, or does not exist.
    """

    quotes: int
    outcomes: dict[UUID, str]
    missed: set[UUID]


def store_last_prices(
    stock_ids: Sequence[UUID], prices: Sequence[Decimal], hours: SessionHours | None
) -> Stored | None:
    """Store last prices as quotes of now, under the exclusive locks of their stocks' buckets.

    Return None if the prices reach any order: then nothing is stored. hours is None if the market is always open.
    """
    if db.in_transaction():
        raise RuntimeError("last prices may not be stored inside another transaction")
    opens_at, closes_at = hours or SessionHours(None, None)
    parameters: dict[str, Any] = {
        "ids": array_of(stock_ids),
        "prices": array_of(prices),
        "opens_at": opens_at,
        "closes_at": closes_at,
    }
    parameters |= {"always_open": hours is None, **lock_parameters(stock_ids)}
    with session():
        row = fetch_one(STORE, parameters)
    assert row is not None
    if row["reaches"]:
        return None
    reason = QuoteOutcome.HALTED if row["is_open"] else QuoteOutcome.SESSION_CLOSED
    return Stored(row["stored"], dict.fromkeys(row["unusable"], str(reason)), set(row["missed"]))
