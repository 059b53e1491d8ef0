"""Candles of stocks: read for any interval, and saved by an import.

The database makes the text of a list of candles: a web process that did would serve nobody else for that time.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from models.database import array_of, execute, fetch_one, session, transactional
from trading.rules.candles import ORIGIN, first_interval, last_interval

# The candles as JSON: [["2026-11-27T09:15:00+0530",1704.50,1705.00,1699.25,1702.80,2499], …], the oldest first.
AS_JSON = """
SELECT '[' || coalesce(string_agg(concat('["', at, '",', open, ',', high, ',', low, ',', close, ',', volume, {rest}),
    ',' ORDER BY at), '') || ']' AS text
"""
MERGED = """
    (array_agg(open_price ORDER BY minute))[1] AS open, max(high_price) AS high, min(low_price) AS low,
    (array_agg(close_price ORDER BY minute DESC))[1] AS close,
    coalesce(sum(volume_to - volume_from), 0) AS volume
"""
OF_MINUTES = f"""
{AS_JSON} FROM (
    SELECT to_char(date_bin(%(step)s, minute, %(origin)s) AT TIME ZONE 'Asia/Kolkata',
        'YYYY-MM-DD"T"HH24:MI:SS"+0530"') AS at, {MERGED}
    FROM candle WHERE stock_id = %(stock_id)s AND minute >= %(first)s AND minute < %(end)s GROUP BY 1) AS candles
"""
# A day has its own candle, or one of its minutes.
OF_DAYS = f"""
{AS_JSON} FROM (
    SELECT to_char(day, 'YYYY-MM-DD"T00:00:00+0530"') AS at,
        open_price AS open, high_price AS high, low_price AS low, close_price AS close, volume
    FROM day_candle WHERE stock_id = %(stock_id)s AND day BETWEEN %(first)s AND %(last)s
    UNION ALL
    SELECT to_char(day, 'YYYY-MM-DD"T00:00:00+0530"'), open, high, low, close, volume FROM (
        SELECT (minute AT TIME ZONE 'Asia/Kolkata')::date AS day, {MERGED}
        FROM candle WHERE stock_id = %(stock_id)s
            AND minute >= %(first)s::timestamp AT TIME ZONE 'Asia/Kolkata'
            AND minute < (%(last)s::date + 1)::timestamp AT TIME ZONE 'Asia/Kolkata'
        GROUP BY 1) AS made
    WHERE NOT EXISTS (SELECT FROM day_candle AS known WHERE known.stock_id = %(stock_id)s AND known.day = made.day)
) AS candles
"""
WITHOUT_INTEREST, WITH_INTEREST = "']'", "',0]'"
SAVE_MINUTES = """
INSERT INTO candle (stock_id, minute, open_price, high_price, low_price, close_price, volume_from, volume_to)
SELECT stock_id, at, open, high, low, close, 0, volume FROM {given}
ON CONFLICT (stock_id, minute) DO UPDATE SET open_price = excluded.open_price, high_price = excluded.high_price,
    low_price = excluded.low_price, close_price = excluded.close_price, volume_from = 0,
    volume_to = excluded.volume_to, first_number = NULL, last_number = NULL
"""
SAVE_DAYS = """
INSERT INTO day_candle (stock_id, day, open_price, high_price, low_price, close_price, volume)
SELECT stock_id, (at AT TIME ZONE 'Asia/Kolkata')::date, open, high, low, close, volume FROM {given}
ON CONFLICT (stock_id, day) DO UPDATE SET open_price = excluded.open_price, high_price = excluded.high_price,
    low_price = excluded.low_price, close_price = excluded.close_price, volume = excluded.volume
"""
# In the order of the key: see trading.market.candle_recording.
GIVEN = """
(SELECT * FROM unnest(%s::uuid[], %s::timestamptz[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[],
    %s::bigint[]) AS given (stock_id, at, open, high, low, close, volume) ORDER BY stock_id, at) AS given
"""


class GivenCandle(NamedTuple):
    """A candle of a file; `at` is the beginning of its minute, or the midnight in India with which its day begins."""

    stock_id: UUID
    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


def read_candles(stock_id: UUID, step: timedelta, first: datetime, last: datetime, *, interest: bool = False) -> str:
    """Return the JSON of the candles that begin from a first to a last time, both included.

    With `interest` each ends with an open interest of 0, as shares have none.
    """
    begin, end = first_interval(first, step), last_interval(last, step) + step
    about = {"stock_id": stock_id, "step": step, "origin": ORIGIN, "first": begin, "end": end}
    return _text(OF_MINUTES, about, interest=interest)


def read_day_candles(stock_id: UUID, first: date, last: date, *, interest: bool = False) -> str:
    """Return the JSON of the candles of the days from a first to a last one, as read_candles does."""
    return _text(OF_DAYS, {"stock_id": stock_id, "first": first, "last": last}, interest=interest)


@transactional
def save_candles(candles: Iterable[GivenCandle], *, are_days: bool) -> int:
    """Save candles of minutes or of days in place of those that are there, and return their number.

    Of two candles of the same time the last one counts.
    """
    rows = list({(one.stock_id, one.at): one for one in candles}.values())
    if not rows:
        return 0
    statement = (SAVE_DAYS if are_days else SAVE_MINUTES).format(given=GIVEN)
    columns = [array_of(_quoted(value) for value in column) for column in zip(*rows, strict=True)]
    return execute(statement, columns)


def _quoted(value: object) -> object:
    """Return a time as the text of an element of an array."""
    return f'"{value.isoformat()}"' if isinstance(value, datetime) else value


def _text(statement: str, about: dict[str, object], *, interest: bool) -> str:
    with session():
        row = fetch_one(statement.format(rest=WITH_INTEREST if interest else WITHOUT_INTEREST), about)
    assert row is not None
    text: str = row["text"]
    return text
