"""The resting orders, counted up to a limit, and the delay of their expiry: figures for scrapers and operators."""

from collections.abc import Sequence
from typing import TypedDict

from models.database import fetch_one, session

# Each count walks an index of the OPEN orders that are watched, or of those that wait for their session, and stops at
# the limit. An ORDER BY of that index keeps the planner from scanning the table, whatever it believes of their number.
RESTING = """
SELECT
    (SELECT count(*) FROM (
        SELECT FROM trading_order WHERE status = 'OPEN' AND matched_at IS NULL AND watch_price IS NOT NULL
        ORDER BY stock_id, side, watch_price LIMIT %(limit)s) AS watched) AS for_price,
    (SELECT count(*) FROM (
        SELECT FROM trading_order WHERE status = 'OPEN' AND matched_at IS NULL AND watch_trigger IS NOT NULL
        ORDER BY stock_id, side, watch_trigger LIMIT %(limit)s) AS watched) AS for_trigger,
    (SELECT count(*) FROM (
        SELECT FROM trading_order WHERE status = 'PENDING' AND waiting_for = 'session'
        ORDER BY placed_at, id LIMIT %(limit)s) AS waiting) AS for_session,
    coalesce(greatest(0, extract(epoch FROM market_now() - (
        SELECT expires_at FROM trading_order
        WHERE status IN ('PENDING', 'OPEN') AND matched_at IS NULL AND expires_at IS NOT NULL
        ORDER BY expires_at LIMIT 1))), 0)::float8 AS expiry_behind_s
"""


class RestingOrders(TypedDict):
    """The orders that wait for a price, a trigger or a session, and the seconds since the oldest missed end."""

    for_price: int
    for_trigger: int
    for_session: int
    expiry_behind_s: float


def sum_resting(parts: Sequence[RestingOrders]) -> RestingOrders:
    """Return the numbers of all buckets, given those of each."""
    return RestingOrders(
        for_price=sum(part["for_price"] for part in parts),
        for_trigger=sum(part["for_trigger"] for part in parts),
        for_session=sum(part["for_session"] for part in parts),
        expiry_behind_s=max(part["expiry_behind_s"] for part in parts),
    )


def count_resting(limit: int) -> RestingOrders:
    """Return the numbers of a bucket's resting orders, each counted to a limit. Raises DatabaseUnavailable."""
    with session():
        row = fetch_one(RESTING, {"limit": limit}, RestingOrders)
    assert row is not None
    return row
