"""Prices of each minute: recorded by a worker, once for the whole fleet, apart from the quotes' path."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypedDict

from models.database import array_of, execute, fetch_all, transactional
from trading.rules.equity import Stretch

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
VALUE = """
WITH stretch AS MATERIALIZED (
    SELECT * FROM unnest(%(stocks)s::uuid[], %(firsts)s::timestamptz[], %(lasts)s::timestamptz[],
        %(quantities)s::bigint[], %(costs)s::numeric[]) AS stretch (stock_id, first, last, quantity, cost))
SELECT at, sum(quantity * price - cost) AS unrealized_pnl
FROM stretch CROSS JOIN LATERAL generate_series(first, last, %(step)s) AS at
CROSS JOIN LATERAL (
    SELECT price FROM recorded_price AS recorded WHERE recorded.stock_id = stretch.stock_id AND minute < at
    ORDER BY minute DESC LIMIT 1) AS newest
GROUP BY at
"""


class ValueAt(TypedDict):
    """The unrealised profit of stakes at a time, in rupees."""

    at: datetime
    unrealized_pnl: Decimal


@transactional
def record_prices() -> int | None:
    """Record the prices of the minute that has just ended; return their number, or None if that was done or is past."""
    claimed = fetch_all(CLAIM)
    return execute(RECORD, (claimed[0]["minute"],)) if claimed else None


def values_of(stretches: Sequence[Stretch], step: timedelta) -> dict[datetime, Decimal]:
    """Return the unrealised profit at the times of stretches; needs an open session.

    A stake without a recorded price is left out, and so is a time without any other.
    """
    asked = {
        "stocks": array_of(stretch.stock_id for stretch in stretches),
        "firsts": array_of(stretch.first.isoformat() for stretch in stretches),
        "lasts": array_of(stretch.last.isoformat() for stretch in stretches),
        "quantities": array_of(stretch.stake.quantity for stretch in stretches),
        "costs": array_of(stretch.stake.cost for stretch in stretches),
        "step": step,
    }
    return {row["at"]: row["unrealized_pnl"] for row in fetch_all(VALUE, asked, ValueAt)}
