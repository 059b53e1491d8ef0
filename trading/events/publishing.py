"""Events: what the triggers wrote, read in order, and the nudge that tells listeners to look."""

import functools
import threading
from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

from models.database import Row, fetch_all, session
from runtime import redis_link
from trading.events.history import SERVER, Seen
from trading.rules.errors import NotFound

CALL = "call"
# One statement: what retention deletes between two would be missing without a word.
PAGE = f"""
SELECT account.last_event_id AS newest, {SERVER} AS server, event.*,
    (SELECT id FROM event WHERE account_id = account.id ORDER BY id LIMIT 1) AS oldest,
    (SELECT at FROM event WHERE account_id = account.id AND id = account.last_event_id) AS newest_at,
    EXISTS (SELECT FROM lost_event WHERE account_id = account.id AND %(since)s BETWEEN first_id AND last_id) AS is_lost
FROM account LEFT JOIN LATERAL (
    SELECT * FROM event WHERE account_id = account.id AND id > %(since)s ORDER BY id LIMIT %(limit)s) AS event ON true
WHERE account.id = %(account_id)s
"""
NEW_EVENTS = f"""
SELECT event.*, {SERVER} AS server FROM unnest(%s::uuid[], %s::bigint[]) AS wanted (account_id, since)
JOIN account ON account.id = wanted.account_id AND account.last_event_id > wanted.since
CROSS JOIN LATERAL (
    SELECT * FROM event WHERE event.account_id = wanted.account_id AND event.id > wanted.since
    ORDER BY event.id LIMIT %s) AS event
ORDER BY event.account_id, event.id
"""


class EventPage(NamedTuple):
    """Events of an account after one, oldest first, and where all its events begin and end, by which server.

    The oldest kept one is newest.id + 1 when none is kept. The one asked for is lost when it was told in vain.
    """

    oldest: int
    newest: Seen
    server: str | None
    is_lost: bool
    events: list[Row]

    def keeps(self, since: int) -> bool:
        """Tell whether everything after an event, the one that was asked for, can still be told."""
        return self.oldest - 1 <= since <= self.newest.id and not self.is_lost


def events_since(account_id: UUID, since: int, limit: int) -> list[Row]:
    """Return up to limit events of an account with an id above since, oldest first."""
    with session():
        return fetch_all(
            "SELECT * FROM event WHERE account_id = %s AND id > %s ORDER BY id LIMIT %s", (account_id, since, limit)
        )


def new_events(since: dict[UUID, int], limit: int) -> list[Row]:
    """Return up to limit events of each of these accounts after the one given, with the server that has them."""
    with session():
        return fetch_all(NEW_EVENTS, (list(since), list(since.values()), limit))


def page_since(account_id: UUID, since: int = 0, limit: int = 0) -> EventPage:
    """Return up to limit events above since with where all begin and end at that moment; raises NotFound."""
    with session():
        rows = fetch_all(PAGE, {"account_id": account_id, "since": since, "limit": limit})
    if not rows:
        raise NotFound
    row, newest = rows[0], Seen(rows[0]["newest"], rows[0]["newest_at"])
    oldest = newest.id + 1 if row["oldest"] is None else row["oldest"]
    events = sorted((row for row in rows if row["id"] is not None), key=itemgetter("id"))
    return EventPage(oldest, newest, row["server"], row["is_lost"], events)


def channel(account_id: object) -> str:
    """Return the channel on which an account's listeners are told to look; "*" for that of all."""
    return redis_link.key(f"events:{account_id}")


def call_listeners() -> None:
    """Publish on the channel of "call", from a server that takes writes; who subscribes there hears it.

    Raises redis.RedisError.
    """
    with redis_link.client.pipeline(transaction=False) as pipeline:
        redis_link.prove_writable(pipeline)
        pipeline.publish(channel(CALL), "")
        pipeline.execute()


class Nudger:
    """Publishes nudges from a thread of its own, all that have gathered in one round trip.

    Nobody waits for a nudge, so that no request and no execution pays for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._waiting: set[UUID] = set()
        self._thread: threading.Thread | None = None

    def add(self, account_ids: Iterable[UUID]) -> None:
        """Have accounts announced soon."""
        with self._lock:
            self._waiting.update(account_ids)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="nudger", daemon=True)
                self._thread.start()
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                account_ids, self._waiting = self._waiting, set()
            if account_ids:
                redis_link.attempt(functools.partial(_publish, account_ids))


_nudger = Nudger()


def nudge(account_ids: Iterable[UUID]) -> None:
    """Tell listeners of these accounts that there is something new; best effort, after the commit."""
    if redis_link.is_enabled():
        _nudger.add(account_ids)


def _publish(account_ids: Iterable[UUID]) -> None:
    with redis_link.client.pipeline(transaction=False) as pipeline:
        for account_id in account_ids:
            pipeline.publish(channel(account_id), "")
        pipeline.execute()
