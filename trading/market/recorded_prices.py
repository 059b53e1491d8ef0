"""Prices of each minute: recorded by a worker, once for the whole fleet, apart from the quotes' path."""

from models.database import execute, fetch_all, transactional
from models.spanning import each_in_transaction

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
# The price at a time is the newest one of a minute that was over then: `stake` and `at` are the query's.
PRICE_AT = """
SELECT price FROM recorded_price AS recorded WHERE recorded.stock_id = stake.stock_id AND minute < at
ORDER BY minute DESC LIMIT 1
"""


@transactional
def record_prices() -> int | None:
    """Record the prices of the minute that has just ended; return their number, or None if that was done or is past."""
    claimed = fetch_all(CLAIM)
    if not claimed:
        return None
    # A stock that accounts of several buckets hold has its price from the first of them.
    return sum(execute(RECORD, (claimed[0]["minute"],)) for _ in each_in_transaction())
