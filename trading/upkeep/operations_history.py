"""The orders of each minute of the last hour, as far as the newest orders tell."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypedDict

from models import buckets
from models.database import fetch_one
from models.routing import session_of_all
from models.spanning import each_in_transaction

# They are read once for a page, in some 100 ms; at 14 orders/s they are an hour.
NEWEST_ORDERS = 50_000
MINUTES = 60
NONE = (0, 0)

HISTORY = """
WITH newest AS MATERIALIZED (
    SELECT floor(extract(epoch FROM placed_at) / 60)::bigint AS placed,
           floor(extract(epoch FROM executed_at) / 60)::bigint AS executed
    FROM trading_order ORDER BY id DESC LIMIT %(limit)s),
now AS MATERIALIZED (SELECT floor(extract(epoch FROM market_now()) / 60)::bigint AS minute),
of_minute AS (
    SELECT minute,
        count(*) FILTER (WHERE is_placed) AS placed, count(*) FILTER (WHERE NOT is_placed) AS executed
    FROM (SELECT placed AS minute, true AS is_placed FROM newest
          UNION ALL SELECT executed, false FROM newest WHERE executed IS NOT NULL) AS told
    WHERE minute >= (SELECT minute FROM now) - %(minutes)s GROUP BY 1)
SELECT (SELECT minute FROM now) AS now,
    (SELECT CASE WHEN count(*) = %(limit)s THEN min(placed) END FROM newest) AS cut,
    (SELECT jsonb_object_agg(minute, jsonb_build_array(placed, executed)) FROM of_minute) AS minutes
"""


class Minute(TypedDict):
    """The numbers of orders placed and executed in one minute."""

    at: datetime
    placed: int
    executed: int


class Found(TypedDict):
    """The row of HISTORY; minutes have the numbers of placed and executed orders, and none before the cut is whole."""

    now: int
    cut: int | None
    minutes: dict[str, list[int]] | None


def read_minutes() -> list[Minute]:
    """Return the whole minutes of the last hour that the newest orders cover, the oldest first."""
    with session_of_all():
        found = [_read() for _ in each_in_transaction()]
    end = found[0]["now"]
    first = max([end - MINUTES, *(one["cut"] + 1 for one in found if one["cut"] is not None)])
    orders = [one["minutes"] or {} for one in found]
    return [_minute(number, [one.get(str(number), NONE) for one in orders]) for number in range(first, end)]


def _read() -> Found:
    """Return the minutes of a bucket; all buckets together read NEWEST_ORDERS."""
    found = fetch_one(HISTORY, {"limit": NEWEST_ORDERS // len(buckets.shards()), "minutes": MINUTES}, Found)
    assert found is not None
    return found


def _minute(number: int, orders: Sequence[Sequence[int]]) -> Minute:
    """Return a minute with the sums of the orders that the buckets have placed and executed."""
    placed, executed = map(sum, zip(*orders, strict=True))
    return {"at": datetime.fromtimestamp(60 * number, UTC), "placed": placed, "executed": executed}
