"""An order's life, told from its row and its ledger, and in full while its events are kept.

Events are deleted after 7 days; the order and its rows of the ledger stay. Without its events an order
still says when it was placed and how it ended, and which of its ledger rows belong to its end. What
changed in between is then no longer known, and what was written to the ledger before the oldest event
that is kept stands with the placement.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from models.database import Row, fetch_one, snapshot
from models.rows import EventRow
from trading.accounts.ledgers import entries_of
from trading.events.reading import events_of_order
from trading.rules.errors import NotFound
from trading.rules.ledger import EFFECTS, REALIZED

# An order that is changed again and again has many events: these are told, the newest ones.
MAX_EVENTS = 1_000
PLACED, MODIFIED = "order.pending", "order.modified"
# What may change about an order, and what each is before anything is known of it.
UNKNOWN: Row = {
    "quantity": None,
    "price": None,
    "blocked_margin": None,
    "charges": None,
    "filled_quantity": 0,
    "average_price": None,
    "position_id": None,
    "rejection_reason": None,
    "executed_at": None,
}


class Moment(NamedTuple):
    """A change of an order: its event and the row as it then was, both None when the event is no longer kept."""

    type: str
    at: Any
    event_id: int | None = None
    row: Row | None = None


def order_history(account_id: UUID, order_id: UUID) -> list[Row]:
    """Return what has happened to an account's order, oldest first; raises NotFound.

    Each has event_id, type, at, status, the changes by column, and the transactions written with it.
    event_id and changes are None for what is known from the order's row alone.
    """
    return tell(*_read(account_id, order_id))


def _read(account_id: UUID, order_id: UUID) -> tuple[Row, list[EventRow], list[Row]]:
    with snapshot():
        order = fetch_one("SELECT * FROM trading_order WHERE id = %s AND account_id = %s", (order_id, account_id))
        if order is None:
            raise NotFound
        return order, events_of_order(order_id, MAX_EVENTS), entries_of(order_id)


def tell(order: Row, events: Sequence[EventRow], entries: Sequence[Row]) -> list[Row]:
    """Tell an order's life from its row, the events that are kept and its ledger entries, each oldest first."""
    moments = _moments(order, events)
    shares = _shares(order, moments, entries)
    before, life = UNKNOWN, []
    for moment, share in zip(moments, shares, strict=True):
        row = moment.row
        life.append(
            {
                "event_id": moment.event_id,
                "type": moment.type,
                "at": moment.at,
                "status": "PENDING" if row is None else row["status"],
                "changes": row and {name: row[name] for name in UNKNOWN if row[name] != before[name]},
                "transactions": share,
            }
        )
        before = row or before
    return life


def _moments(order: Row, events: Sequence[EventRow]) -> list[Moment]:
    """Return the moments of the events, with placement and end of an order whose events are gone."""
    moments = [Moment(event["type"], event["at"], event["id"], event["data"]) for event in events]
    if not moments or moments[0].type != PLACED:
        moments.insert(0, Moment(PLACED, order["placed_at"]))
    if order["status"] != "PENDING" and moments[-1].type in (PLACED, MODIFIED):
        moments.append(Moment(f"order.{order['status'].lower()}", order["updated_at"], row=order))
    return moments


def _shares(order: Row, moments: Sequence[Moment], entries: Sequence[Row]) -> list[Sequence[Row]]:
    """Part an order's ledger entries among its moments; what is not a later one's belongs to the first."""
    shares: list[Sequence[Row]] = []
    end = len(entries)
    for before, moment in zip(reversed(moments[:-1]), reversed(moments[1:]), strict=True):
        start = end - (_modified(before, moment) if moment.type == MODIFIED else _ended(order, entries))
        shares.append(entries[start:end])
        end = start
    return [entries[:end], *reversed(shares)]


def _modified(before: Moment, after: Moment) -> int:
    """Return how many entries a change of the order's terms has: one for margin and one for charges, if they moved."""
    if before.row is None or after.row is None:
        return 0
    return sum(before.row[name] != after.row[name] for name in ("blocked_margin", "charges"))


def _ended(order: Row, entries: Sequence[Row]) -> int:
    """Return how many entries the end of an order has."""
    if order["status"] != "EXECUTED":
        return int(order["blocked_margin"] > 0) + int(order["charges"] > 0)
    blocked = sum((EFFECTS[entry["kind"]][1] * entry["amount"] for entry in entries), Decimal(0))
    # Up to its execution an order's entries add up to what it holds back.
    return sum(entry["kind"] in REALIZED for entry in entries) + int(blocked != order["blocked_margin"])
