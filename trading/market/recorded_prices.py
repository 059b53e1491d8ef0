"""Prices of each minute: recorded by a worker, once for the whole fleet, apart from the quotes' path."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypedDict
from uuid import UUID

from models.database import array_of, execute, fetch_all, transactional

# The process that records goes by its own clock, the label by the database's: the minute whose end is near. A minute
# that nobody records near its end is left out, so that no price gets a label that is half a minute wrong.
CLAIM = """
INSERT INTO price_recording (minute)
SELECT date_bin('1 minute', near, '2000-01-01 00:00+00') - interval '1 minute'
FROM (SELECT market_now() + interval '5 s' AS near) AS clock
WHERE extract(second FROM near) < 35
ON CONFLICT (minute) DO NOTHING
RETURNING minute
"""
# Of the stocks that nobody holds no price is needed. What has not changed needs no row.
RECORD = """
INSERT INTO recorded_price (stock_id, minute, price)
SELECT stock.id, %s, stock.last_price
FROM stock LEFT JOIN LATERAL (
    SELECT price FROM recorded_price WHERE stock_id = stock.id ORDER BY minute DESC LIMIT 1) AS newest ON true
WHERE stock.id IN (SELECT stock_id FROM position WHERE quantity <> 0)
    AND stock.last_price IS NOT NULL AND stock.last_price IS DISTINCT FROM newest.price
ON CONFLICT (stock_id, minute) DO NOTHING
"""
# The price at a time is the newest one of a minute that was over then.
READ = """
SELECT stock_id, at, price
FROM unnest(%(stocks)s::uuid[]) AS stock (stock_id)
CROSS JOIN generate_series(%(first)s::timestamptz, %(last)s::timestamptz, %(step)s) AS at
CROSS JOIN LATERAL (
    SELECT price FROM recorded_price AS recorded WHERE recorded.stock_id = stock.stock_id AND minute < at
    ORDER BY minute DESC LIMIT 1) AS newest
"""


class PriceAt(TypedDict):
    """The recorded price of a stock at a time."""

    stock_id: UUID
    at: datetime
    price: Decimal


@transactional
def record_prices() -> int | None:
    """Record the prices of the minute that has just ended; return their number, or None if that was done or is past."""
    claimed = fetch_all(CLAIM)
    return execute(RECORD, (claimed[0]["minute"],)) if claimed else None


def prices_at(
    stock_ids: Sequence[UUID], first: datetime, last: datetime, step: timedelta
) -> dict[tuple[UUID, datetime], Decimal]:
    """Return the recorded prices of stocks at each time of a series, where there are any; needs an open session."""
    asked = {"stocks": array_of(stock_ids), "first": first, "last": last, "step": step}
    return {(row["stock_id"], row["at"]): row["price"] for row in fetch_all(READ, asked, PriceAt)}
