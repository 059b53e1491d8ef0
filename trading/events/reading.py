"""The statements that read events: after a number, of several accounts at once, of one order."""

from collections.abc import Mapping
from operator import itemgetter
from typing import NamedTuple, cast
from uuid import UUID

from models import buckets
from models.database import Row, SqlParameters, fetch_all, session
from models.routing import by_account, each_of
from models.rows import EventRow
from trading.events.lost_events import SERVER, Seen, answering_server
from trading.rules.errors import NotFound

EVENTS = "SELECT * FROM event WHERE account_id = %s AND id > %s ORDER BY id LIMIT %s"
# One statement: between two statements retention could delete an event without a trace.
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
# The conditions match the index event_of_order. "IS TRUE" keeps the planner from the events of the whole account.
ORDER_EVENTS = """
SELECT * FROM (
    SELECT * FROM event WHERE type LIKE 'order.%%' AND (data ->> 'id')::uuid = %s AND (account_id = %s) IS TRUE
    ORDER BY id DESC LIMIT %s
) AS newest ORDER BY id
"""


class ServerEventRow(EventRow):
    """A row of `event` with the identity of the server that returned it."""

    server: str | None


class EventPage(NamedTuple):
    """Events of an account after a number, oldest first, with the limits of all its events at that moment.

    oldest is the number of the oldest kept event, or newest.id + 1 if none is kept. is_lost is True if the event
    with the requested number was lost after listeners had received it.
    """

    oldest: int
    newest: Seen
    server: str | None
    is_lost: bool
    events: list[EventRow]

    def keeps(self, since: int) -> bool:
        """Return True if every event after since, the requested number, is still kept."""
        return self.oldest - 1 <= since <= self.newest.id and not self.is_lost


@by_account
def events_since(account_id: UUID, since: int, limit: int) -> list[EventRow]:
    """Return up to limit events of an account with a number above since, oldest first."""
    with session():
        return fetch_all(EVENTS, (account_id, since, limit), EventRow)


def new_events(since: Mapping[UUID, int], limit: int) -> list[ServerEventRow]:
    """Return up to limit events of each account after its number in since, with the server that returned them."""
    events = list[Row]()
    for accounts in each_of(since):
        with session():
            numbers = [since[account_id] for account_id in accounts]
            events += _read(NEW_EVENTS, (accounts, numbers, limit))
    return cast(list[ServerEventRow], events)


@by_account
def page_since(account_id: UUID, since: int = 0, limit: int = 0) -> EventPage:
    """Return up to limit events above since with the limits of all events at that moment; raises NotFound."""
    with session():
        rows = _read(PAGE, {"account_id": account_id, "since": since, "limit": limit})
    if not rows:
        raise NotFound
    row, newest = rows[0], Seen(rows[0]["newest"], rows[0]["newest_at"])
    oldest = newest.id + 1 if row["oldest"] is None else row["oldest"]
    events = sorted((row for row in rows if row["id"] is not None), key=itemgetter("id"))
    return EventPage(oldest, newest, row["server"], row["is_lost"], cast(list[EventRow], events))


def events_of_order(account_id: UUID, order_id: UUID, limit: int) -> list[EventRow]:
    """Return the newest events of an account's order, up to limit, oldest first; needs an open session."""
    return fetch_all(ORDER_EVENTS, (order_id, account_id, limit), EventRow)


def _read(sql: str, parameters: SqlParameters) -> list[Row]:
    """Return rows with the identity of the session's server: a statement of one bucket may run on another server."""
    rows = fetch_all(sql, parameters)
    if rows and buckets.are_several():
        server = answering_server()
        for row in rows:
            row["server"] = server
    return rows
