"""Notice events that a failover or a restored backup took back after listeners had been told.

The counter of an account goes back with them, so that the same numbers come to stand for other events. A process
therefore remembers the newest event that it has seen of each account with its time, and compares all of them when
it meets a server that is new to it. The database keeps the numbers that were told in vain, for listeners that
come back with one of them, to whichever process.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from models.database import execute, fetch_all, fetch_one, session, transactional
from runtime import metrics
from runtime.logs import get_logger
from trading.events.retention import EVENTS_KEPT_DAYS

# Which server and which table answer; null on a standby, which may only be late. History is taken back by another
# server that is started or promoted, or by a table that takes another's place.
SERVER = """(SELECT CASE WHEN NOT pg_is_in_recovery()
    THEN concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()), to_regclass('event')::oid) END)"""
# An event has its number and its time in one history only. One that is missing has not been deleted for its age
# while it is younger than what is kept. All events of the new history are younger than the one that was told.
TAKEN_BACK = """
SELECT told.account_id, told.id AS told_id, account.last_event_id AS newest, common.id, common.at
FROM unnest(%s::uuid[], %s::bigint[], %s::timestamptz[]) AS told (account_id, id, at)
LEFT JOIN account ON account.id = told.account_id
LEFT JOIN event ON event.account_id = told.account_id AND event.id = told.id
LEFT JOIN LATERAL (
    SELECT id, at FROM event WHERE event.account_id = told.account_id AND event.at <= told.at
    ORDER BY id DESC LIMIT 1) AS common ON true
WHERE account.id IS NULL OR account.last_event_id < told.id OR event.at <> told.at
    OR (event.id IS NULL AND told.at > now() - %s * interval '1 day')
ORDER BY told.account_id
"""
KEEP = """
INSERT INTO lost_event (account_id, first_id, last_id) VALUES (%s, %s, %s)
ON CONFLICT (account_id, first_id) DO UPDATE SET last_id = greatest(lost_event.last_id, excluded.last_id)
"""

logger = get_logger(__name__)


class Seen(NamedTuple):
    """An event by its number and its time, which is None when it is no longer kept."""

    id: int
    at: datetime | None


def present_server() -> str | None:
    """Return which server answers, None for a standby."""
    with session():
        row = fetch_one(f"SELECT {SERVER} AS server")
    return row["server"] if row else None


@transactional
def find_taken_back(seen: dict[UUID, Seen]) -> dict[UUID, Seen | None]:
    """Return the last event that still holds of each account whose seen event is gone; None for a gone account.

    Keeps the numbers from there up to what was seen.
    """
    ids, times = [one.id for one in seen.values()], [one.at for one in seen.values()]
    found: dict[UUID, Seen | None] = {}
    for row in fetch_all(TAKEN_BACK, (list(seen), ids, times, EVENTS_KEPT_DAYS)):
        account_id, newest = row["account_id"], row["newest"]
        if newest is None:
            found[account_id] = None
            continue
        # Without an event of that time that is kept, any number may have been told in vain.
        execute(KEEP, (account_id, (row["id"] or 0) + 1, row["told_id"]))
        found[account_id] = Seen(newest, None) if row["id"] is None else Seen(row["id"], row["at"])
    return found


class EventMemory:
    """The newest event that this process has seen of each account, up to a number of accounts, and on which server."""

    def __init__(self, size: int) -> None:
        self.server: str | None = None
        self._size = size
        self._seen: OrderedDict[UUID, Seen] = OrderedDict()
        self._lock = threading.Lock()
        self._meeting = threading.Lock()

    def note(self, account_id: UUID, event: Seen, server: str | None) -> None:
        """Remember an event that the compared server has shown."""
        with self._lock:
            if server == self.server and event.id >= self._seen.get(account_id, event).id:
                self._seen[account_id] = event
                self._seen.move_to_end(account_id)
                if len(self._seen) > self._size:
                    self._seen.popitem(last=False)

    def meet(self, server: str | None, take_back: Callable[[UUID, Seen | None], None]) -> bool:
        """Compare what was seen with a server that is new to this process; tell whether it was new.

        take_back is called with what `find_taken_back` finds. A standby (None) is never compared.
        """
        if server is None or server == self.server:
            return False
        with self._meeting:
            if server != self.server:
                self._compare(take_back)
                self.server = server
        return True

    def _compare(self, take_back: Callable[[UUID, Seen | None], None]) -> None:
        with self._lock:
            seen = dict(self._seen)
        taken_back = find_taken_back(seen) if seen else {}
        for account_id, event in taken_back.items():
            take_back(account_id, event)
            with self._lock:
                self._seen.pop(account_id, None)
                if event is not None:
                    self._seen[account_id] = event
        if taken_back:
            metrics.of(metrics.TAKEN_BACK, "accounts").inc(len(taken_back))
            logger.warning("events_taken_back", accounts=len(taken_back))
