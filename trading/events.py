"""Events: what the triggers wrote, read in order, and the nudge that tells listeners to look."""

import functools
import threading
from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

from models.database import Row, fetch_all, fetch_one, session
from trading import redis_link
from trading.errors import NotFound

CALL = "call"
# One statement: what retention deletes between two would be missing without a word.
PAGE = """
SELECT account.last_event_id AS newest, event.*,
    (SELECT id FROM event WHERE account_id = account.id ORDER BY id LIMIT 1) AS oldest
FROM account LEFT JOIN LATERAL (
    SELECT * FROM event WHERE account_id = account.id AND id > %(since)s ORDER BY id LIMIT %(limit)s) AS event ON true
WHERE account.id = %(account_id)s
"""


class EventPage(NamedTuple):
    """Events of an account, oldest first, and the ids of its oldest kept and newest one, as `bounds` has them."""

    oldest: int
    newest: int
    events: list[Row]


def events_since(account_id: UUID, since: int, limit: int) -> list[Row]:
    """Return up to limit events of an account with an id above since, oldest first."""
    with session():
        return fetch_all(
            "SELECT * FROM event WHERE account_id = %s AND id > %s ORDER BY id LIMIT %s", (account_id, since, limit)
        )


def bounds(account_id: UUID) -> tuple[int, int]:
    """Return the ids of an account's oldest kept and newest event; (n + 1, n) when none is kept.

    Raises NotFound for an unknown account.
    """
    with session():
        row = fetch_one(
            "SELECT last_event_id AS newest, (SELECT id FROM event WHERE account_id = account.id"
            " ORDER BY id LIMIT 1) AS oldest FROM account WHERE id = %s",
            (account_id,),
        )
    if row is None:
        raise NotFound
    newest: int = row["newest"]
    return newest + 1 if row["oldest"] is None else row["oldest"], newest


def page_since(account_id: UUID, since: int, limit: int) -> EventPage:
    """Return up to limit events above since with the bounds of the same moment; raises NotFound."""
    with session():
        rows = fetch_all(PAGE, {"account_id": account_id, "since": since, "limit": limit})
    if not rows:
        raise NotFound
    newest: int = rows[0]["newest"]
    oldest = newest + 1 if rows[0]["oldest"] is None else rows[0]["oldest"]
    return EventPage(oldest, newest, sorted((row for row in rows if row["id"] is not None), key=itemgetter("id")))


def is_kept(since: int, oldest: int, newest: int) -> bool:
    """Tell whether everything after an event can still be told, by an account's bounds."""
    return oldest - 1 <= since <= newest


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
