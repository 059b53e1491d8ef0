"""Deletion of old events and idempotency keys, in bounded portions.

Each portion identifies its rows by their physical position (ctid), so that no plan reads a whole large table for it.
"""

import math
import time
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from models.database import execute, fetch_all, transactional

EVENTS_KEPT_DAYS = 7  # a trigger of the database refuses to delete a younger event
KEYS_KEPT_HOURS = 25  # the contract promises 24
ACCOUNTS, EVENTS_EACH, KEYS = 100, 50, 5_000

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

# The deletion has reached this account; the next call goes on behind it.
_reached = UUID(int=0)


class Deleted(NamedTuple):
    """The numbers of deleted events and keys."""

    events: int
    keys: int


def delete_what_is_old(*, patience_s: float = math.inf) -> Deleted:
    """Delete all events and idempotency keys that are too old, for at most patience_s each."""
    return Deleted(_repeat(delete_old_events, patience_s), _repeat(delete_old_keys, patience_s))


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
    global _reached
    deleted, last = _delete_events_after(_reached, accounts, each)
    if deleted:
        return deleted
    _reached = last or UUID(int=0)
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
