"""The end of old minutes: their days keep a candle."""

import math
import time
from uuid import UUID

from models.database import array_of, fetch_all, transactional
from trading.market.candles import MERGED

STOCKS = 50
# At most this many days of each stock in a transaction.
DAYS = 10
# A day that has an imported candle keeps that.
FOLD = f"""
WITH clock AS MATERIALIZED (
    SELECT date_bin('1 day', market_now(), '1999-12-31 18:30+00') - %(kept)s * interval '1 day' AS end_of_old),
first AS MATERIALIZED (
    SELECT page.id, least(end_of_old, date_bin('1 day', oldest.minute, '1999-12-31 18:30+00')
        + %(days)s * interval '1 day') AS until
    FROM clock CROSS JOIN unnest(%(stocks)s::uuid[]) AS page (id)
    CROSS JOIN LATERAL (
        SELECT minute FROM candle WHERE stock_id = page.id ORDER BY minute LIMIT 1) AS oldest),
gone AS (
    DELETE FROM candle USING first WHERE stock_id = first.id AND minute < first.until RETURNING candle.*),
made AS (
    INSERT INTO day_candle (stock_id, day, open_price, high_price, low_price, close_price, volume)
    SELECT stock_id, day, open, high, low, close, volume FROM (
        SELECT stock_id, (minute AT TIME ZONE 'Asia/Kolkata')::date AS day, {MERGED} FROM gone GROUP BY 1, 2) AS days
    ON CONFLICT (stock_id, day) DO NOTHING)
SELECT count(*) AS deleted FROM gone
"""

# The deletion has reached this stock; the next call goes on behind it.
_reached = UUID(int=0)


def delete_old_candles(kept_days: int, *, patience_s: float = math.inf) -> int:
    """Delete the minutes of days that are older than these, for at most patience_s; return their number."""
    end, total = time.monotonic() + patience_s, 0
    while time.monotonic() < end and (deleted := delete_some(kept_days)) is not None:
        total += deleted
    return total


def delete_some(kept_days: int, *, stocks: int = STOCKS, days: int = DAYS) -> int | None:
    """Delete old minutes of the next stocks; return their number, or None when finished."""
    global _reached
    deleted, last = _delete_after(_reached, kept_days, stocks, days)
    if deleted:  # the same stocks again: they may have older days
        return deleted
    _reached = last or UUID(int=0)
    return None if last is None else 0


@transactional
def _delete_after(stock_id: UUID, kept_days: int, stocks: int, days: int) -> tuple[int, UUID | None]:
    """Return the number of minutes deleted from the next stocks, and the last of these stocks if there are any."""
    page = fetch_all("SELECT id FROM stock WHERE id > %s ORDER BY id LIMIT %s", (stock_id, stocks))
    if not page:
        return 0, None
    ids = [row["id"] for row in page]
    about = {"stocks": array_of(ids), "kept": kept_days, "days": days}
    (row,) = fetch_all(FOLD, about)
    return int(row["deleted"]), ids[-1]
