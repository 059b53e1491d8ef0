"""Detection of lost events: a failover or a restored backup removed them after listeners had received them.

The account's event counter goes back too, so that later events reuse the lost numbers. Each process therefore
remembers the number and the time of the newest event that it has seen of each account. It compares them with the
database when a server answers that it has not met. The database keeps the lost numbers in lost_event, because a
listener can return with one of them to any process.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from models.database import execute, fetch_all, fetch_one, session, transactional
from models.routing import each_of
from runtime import metrics
from runtime.logs import get_logger
from trading.events.retention import EVENTS_KEPT_DAYS

# Identifies the server and its tables, by one that all buckets share; null on a standby, which may lag. Events can be
# lost only if another server starts or is promoted, or if other tables replace these.
SERVER = """(SELECT CASE WHEN NOT pg_is_in_recovery()
    THEN concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()), to_regclass('stock')::oid) END)"""
# The pair of number and time identifies an event. Retention has not deleted a missing event if the event is younger
# than EVENTS_KEPT_DAYS. All events that replaced lost ones are younger than the event that was seen.
FIND_LOST = """
SELECT seen.account_id, seen.id AS seen_id, account.last_event_id AS newest, common.id, common.at
FROM unnest(%s::uuid[], %s::bigint[], %s::timestamptz[]) AS seen (account_id, id, at)
LEFT JOIN account ON account.id = seen.account_id
LEFT JOIN event ON event.account_id = seen.account_id AND event.id = seen.id
LEFT JOIN LATERAL (
    SELECT id, at FROM event WHERE event.account_id = seen.account_id AND event.at <= seen.at
    ORDER BY id DESC LIMIT 1) AS common ON true
WHERE account.id IS NULL OR account.last_event_id < seen.id OR event.at <> seen.at
    OR (event.id IS NULL AND seen.at > now() - %s * interval '1 day')
ORDER BY seen.account_id
"""
KEEP_NUMBERS = """
INSERT INTO lost_event (account_id, first_id, last_id) VALUES (%s, %s, %s)
ON CONFLICT (account_id, first_id) DO UPDATE SET last_id = greatest(lost_event.last_id, excluded.last_id)
"""

logger = get_logger(__name__)


class Seen(NamedTuple):
    """An event's number and time; the time is None if the event is no longer kept."""

    id: int
    at: datetime | None


def present_server() -> str | None:
    """Return the identity of the server that answers, or None for a standby."""
    with session():
        return answering_server()


def answering_server() -> str | None:
    """Return the identity of the open session's server, or None for a standby."""
    row = fetch_one(f"SELECT {SERVER} AS server")
    return row["server"] if row else None


def find_lost_events(seen: dict[UUID, Seen]) -> dict[UUID, Seen | None]:
    """Return the newest valid event of each account whose seen event is lost; None if the account is lost too.

    Keeps the numbers after that event, up to the seen one, as lost.
    """
    found: dict[UUID, Seen | None] = {}
    for accounts in each_of(seen):
        found |= _find_lost({account_id: seen[account_id] for account_id in accounts})
    return found


@transactional
def _find_lost(seen: dict[UUID, Seen]) -> dict[UUID, Seen | None]:
    ids, times = [event.id for event in seen.values()], [event.at for event in seen.values()]
    found: dict[UUID, Seen | None] = {}
    for row in fetch_all(FIND_LOST, (list(seen), ids, times, EVENTS_KEPT_DAYS)):
        account_id, newest = row["account_id"], row["newest"]
        if newest is None:
            found[account_id] = None
            continue
        # If no event of that time is kept, each number up to the seen one may be lost.
        execute(KEEP_NUMBERS, (account_id, (row["id"] or 0) + 1, row["seen_id"]))
        found[account_id] = Seen(newest, None) if row["id"] is None else Seen(row["id"], row["at"])
    return found


class EventMemory:
    """The newest event that this process has seen of each account, for a bounded number of accounts, and its server."""

    def __init__(self, size: int) -> None:
        self.server: str | None = None
        self._size = size
        self._seen: OrderedDict[UUID, Seen] = OrderedDict()
        self._lock = threading.Lock()
        self._meeting = threading.Lock()

    def items(self) -> list[tuple[UUID, Seen]]:
        """Return the accounts with their newest events, the account that was noted longest ago first."""
        with self._lock:
            return list(self._seen.items())

    def note(self, account_id: UUID, event: Seen, server: str | None) -> None:
        """Remember an event if its server is the one that was compared last."""
        with self._lock:
            if server == self.server and event.id >= self._seen.get(account_id, event).id:
                self._seen[account_id] = event
                self._seen.move_to_end(account_id)
                if len(self._seen) > self._size:
                    self._seen.popitem(last=False)

    def meet(self, server: str | None, take_back: Callable[[UUID, Seen | None], None]) -> bool:
        """Return True if the server is new to this process, after comparing the remembered events with it.

        Calls take_back with each result of find_lost_events. Never compares a standby (None).
        """
        if server is None or server == self.server:
            return False
        with self._meeting:
            if server != self.server:
                self._compare(take_back)
                self.server = server
        return True

    def _compare(self, take_back: Callable[[UUID, Seen | None], None]) -> None:
        seen = dict(self.items())
        lost = find_lost_events(seen) if seen else {}
        for account_id, event in lost.items():
            take_back(account_id, event)
            with self._lock:
                self._seen.pop(account_id, None)
                if event is not None:
                    self._seen[account_id] = event
        if lost:
            metrics.of(metrics.TAKEN_BACK, "accounts").inc(len(lost))
            logger.warning("events_taken_back", accounts=len(lost))
