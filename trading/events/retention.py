"""Deletion of old events, idempotency keys and recorded prices, in bounded portions.

Each portion identifies its rows by their physical position (ctid), so that no plan reads a whole large table for it.
"""

import math
import time
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from models import buckets
from models.database import array_of, execute, fetch_all, transactional

EVENTS_KEPT_DAYS = 7  # a trigger of the database refuses to delete a younger event
KEYS_KEPT_HOURS = 25  # the contract promises 24
PRICES_KEPT_DAYS = 31  # after that, only the last price of each Indian day is kept
ACCOUNTS, EVENTS_EACH, KEYS, STOCKS = 100, 50, 5_000, 200

# The first events of each account by number. Numbers grow with time, so that the remaining events keep numbers without
# a gap. An account whose first event is young costs one read of the primary key.
DELETE_EVENTS = """
DELETE FROM event WHERE ctid = ANY (ARRAY (
    SELECT oldest.ctid FROM unnest(%(accounts)s::uuid[]) AS page (id)
    CROSS JOIN LATERAL (
        SELECT account_id, at FROM event WHERE account_id = page.id ORDER BY id LIMIT 1) AS first
    CROSS JOIN LATERAL (
        SELECT event.ctid, event.at FROM event WHERE account_id = first.account_id ORDER BY id LIMIT %(each)s) AS oldest
    WHERE first.at < now() - %(kept)s * interval '1 day' AND oldest.at < now() - %(kept)s * interval '1 day'))
"""

DELETE_KEYS = """
DELETE FROM idempotency_key WHERE ctid = ANY (ARRAY (
    SELECT ctid FROM idempotency_key WHERE created_at < now() - %(kept)s * interval '1 hour' LIMIT %(limit)s))
"""

# The old prices of some stocks that are followed by another of their day. Those of days that earlier runs have dealt
# with are not looked at again: a run comes every few minutes, and one after an outage of weeks leaves some for ever.
DELETE_PRICES = """
WITH clock AS MATERIALIZED (
    SELECT date_bin('1 day', market_now(), '1999-12-31 18:30+00') - %(kept)s * interval '1 day' AS end_of_old)
DELETE FROM recorded_price WHERE ctid = ANY (ARRAY (
    SELECT old.ctid FROM clock CROSS JOIN unnest(%(stocks)s::uuid[]) AS page (id)
    CROSS JOIN LATERAL (
        SELECT ctid, minute, lead(minute) OVER (ORDER BY minute) AS next FROM recorded_price
        WHERE stock_id = page.id AND minute < end_of_old AND minute >= end_of_old - interval '40 days') AS old
    WHERE date_bin('1 day', minute, '1999-12-31 18:30+00') = date_bin('1 day', next, '1999-12-31 18:30+00')))
"""
DELETE_RECORDINGS = "DELETE FROM price_recording WHERE minute < market_now() - %(kept)s * interval '1 day'"

# The deletion has reached this account in each bucket, and this stock; the next call goes on behind it.
_reached: dict[int | None, UUID] = {}
_reached_stock = UUID(int=0)


class Deleted(NamedTuple):
    """The numbers of deleted events, keys and recorded prices."""

    events: int
    keys: int
    prices: int


def delete_what_is_old(*, patience_s: float = math.inf) -> Deleted:
    """Delete all events, idempotency keys and recorded prices that are too old.

    It takes at most patience_s for each of them, and for those of each bucket of accounts.
    """
    events = keys = 0
    for _ in buckets.each():
        events += _repeat(delete_old_events, patience_s)
        keys += _repeat(delete_old_keys, patience_s)
    return Deleted(events, keys, _repeat(delete_old_prices, patience_s))


def _repeat(delete: Callable[[], int | None], patience_s: float) -> int:
    end, total = time.monotonic() + patience_s, 0
    while time.monotonic() < end and (deleted := delete()) is not None:
        total += deleted
    return total


def delete_old_events(*, accounts: int = ACCOUNTS, each: int = EVENTS_EACH) -> int | None:
    """Delete up to `each` events per account per call; return their number, or None when finished.

    Deletes events older than 7 days by the database's clock. A call covers the next `accounts` accounts, again the same
    ones while they have old events.
    """
    shard = buckets.current()
    deleted, last = _delete_events_after(_reached.get(shard, UUID(int=0)), accounts, each)
    if deleted:
        return deleted
    _reached[shard] = last or UUID(int=0)
    return None if last is None else 0


@transactional
def _delete_events_after(account_id: UUID, accounts: int, each: int) -> tuple[int, UUID | None]:
    """Return the number of events deleted from the next accounts, and the last of these accounts if others follow."""
    page = fetch_all("SELECT id FROM account WHERE id > %s ORDER BY id LIMIT %s", (account_id, accounts))
    ids = [row["id"] for row in page]
    deleted = execute(DELETE_EVENTS, {"accounts": ids, "each": each, "kept": EVENTS_KEPT_DAYS}) if ids else 0
    return deleted, ids[-1] if len(ids) == accounts else None


@transactional
def delete_old_keys(*, limit: int = KEYS) -> int | None:
    """Delete up to limit old idempotency keys; return their number, or None when finished."""
    return execute(DELETE_KEYS, {"kept": KEYS_KEPT_HOURS, "limit": limit}) or None


def delete_old_prices(*, stocks: int = STOCKS) -> int | None:
    """Delete the old prices of the next stocks; return their number, or None when finished."""
    global _reached_stock
    deleted, last = _delete_prices_after(_reached_stock, stocks)
    _reached_stock = last or UUID(int=0)
    return None if last is None else deleted


@transactional
def _delete_prices_after(stock_id: UUID, stocks: int) -> tuple[int, UUID | None]:
    """Return the number of prices deleted from the next stocks, and the last of these stocks if there are any."""
    page = fetch_all("SELECT id FROM stock WHERE id > %s ORDER BY id LIMIT %s", (stock_id, stocks))
    if not page:
        execute(DELETE_RECORDINGS, {"kept": PRICES_KEPT_DAYS})
        return 0, None
    ids = [row["id"] for row in page]
    return execute(DELETE_PRICES, {"stocks": array_of(ids), "kept": PRICES_KEPT_DAYS}), ids[-1]
