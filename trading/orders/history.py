"""An order's history, from its row and its ledger entries, and in full while its events are kept.

Events are deleted after 7 days; the order and its ledger entries stay. Without its events an order still tells when
it was placed, how it ended, and which of its ledger entries belong to its end. The changes in between are then no
longer known, and the ledger entries before the oldest event that is kept belong to the placement.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

from models.database import snapshot
from models.rows import EventRow, LedgerRow, OrderRow
from trading.events.reading import events_of_order
from trading.orders.order_statements import entries_of_order, find_order
from trading.rules.errors import NotFound
from trading.rules.ledger import EFFECTS, REALIZED
from trading.rules.terms import LedgerKind, OrderStatus

# An order that is changed again and again has many events: the newest ones are told.
MAX_EVENTS = 1_000
PLACED, MODIFIED = "order.pending", "order.modified"
# The changes that move no money.
RESTING = ("order.open", "order.triggered")
CHARGES = (LedgerKind.CHARGES, LedgerKind.CHARGES_REFUND)
# The columns of an order that may change, with their values before its first event.
UNKNOWN: Mapping[str, Any] = {
    "order_type": None,
    "quantity": None,
    "price": None,
    "trigger_price": None,
    "protection_price": None,
    "waiting_for": None,
    "blocked_margin": None,
    "charges": None,
    "filled_quantity": 0,
    "average_price": None,
    "position_id": None,
    "rejection_reason": None,
    "end_reason": None,
    "triggered_at": None,
    "matched_at": None,
    "executed_at": None,
    "fill": None,
}


class Moment(NamedTuple):
    """A change of an order, with the id of its event and the row after it.

    If the event is no longer kept, the id is None, and the row is known of the order's end alone.
    """

    type: str
    at: datetime
    event_id: int | None = None
    row: Mapping[str, Any] | None = None


class HistoryEntry(TypedDict):
    """A change of an order as it is answered.

    `changes` has the new values by column. If the event is no longer kept, `event_id` is None, and so are the `changes`
    of a placement.
    `transactions` are the ledger entries that the change wrote.
    """

    event_id: int | None
    type: str
    at: datetime
    status: str
    changes: dict[str, Any] | None
    transactions: Sequence[LedgerRow]


def order_history(account_id: UUID, order_id: UUID) -> list[HistoryEntry]:
    """Return the changes of an account's order, oldest first; raises NotFound."""
    return tell(*_read(account_id, order_id))


def _read(account_id: UUID, order_id: UUID) -> tuple[OrderRow, list[EventRow], list[LedgerRow]]:
    with snapshot():
        order = find_order(account_id, order_id)
        if order is None:
            raise NotFound
        return order, events_of_order(account_id, order_id, MAX_EVENTS), entries_of_order(account_id, order_id)


def tell(order: OrderRow, events: Sequence[EventRow], entries: Sequence[LedgerRow]) -> list[HistoryEntry]:
    """Return an order's history from its row, the events that are kept and its ledger entries, each oldest first."""
    moments = _moments(order, events)
    before: Mapping[str, Any] = UNKNOWN
    history: list[HistoryEntry] = []
    for moment, its_entries in zip(moments, _assigned(order, moments, entries), strict=True):
        row = moment.row
        history.append(
            {
                "event_id": moment.event_id,
                "type": moment.type,
                "at": moment.at,
                "status": OrderStatus.PENDING if row is None else row["status"],
                "changes": None if row is None else _changes(before, row),
                "transactions": its_entries,
            }
        )
        before = row or before
    return history


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the new values by column; an event of the previous release lacks the columns that came later."""
    return {name: after.get(name) for name in UNKNOWN if after.get(name) != before.get(name)}


def _moments(order: OrderRow, events: Sequence[EventRow]) -> list[Moment]:
    """Return the moments of the events, with the placement and the end of an order whose events are gone."""
    moments = [Moment(event["type"], event["at"], event["id"], event["data"]) for event in events]
    if not moments or moments[0].type != PLACED:
        moments.insert(0, Moment(PLACED, order["placed_at"]))
    if OrderStatus(order["status"]).is_final and moments[-1].type in (PLACED, MODIFIED, *RESTING):
        moments.append(Moment(f"order.{order['status'].lower()}", order["updated_at"], row=order))
    return moments


def _assigned(order: OrderRow, moments: Sequence[Moment], entries: Sequence[LedgerRow]) -> list[Sequence[LedgerRow]]:
    """Assign each ledger entry to the moment that caused it; leftovers go to the placement."""
    assigned: list[Sequence[LedgerRow]] = []
    end = len(entries)
    for before, moment in zip(reversed(moments[:-1]), reversed(moments[1:]), strict=True):
        start = end - _moved(order, before, moment, entries)
        assigned.append(entries[start:end])
        end = start
    return [entries[:end], *reversed(assigned)]


def _moved(order: OrderRow, before: Moment, moment: Moment, entries: Sequence[LedgerRow]) -> int:
    """Return the number of entries of a change."""
    if moment.type in RESTING:
        return 0
    return _modified(before, moment) if moment.type == MODIFIED else _ended(order, before, entries)


def _modified(before: Moment, after: Moment) -> int:
    """Return the number of entries of a modification: one for margin and one for charges, if they changed."""
    if before.row is None or after.row is None:
        return 0
    return sum(before.row[name] != after.row[name] for name in ("blocked_margin", "charges"))


def _ended(order: OrderRow, before: Moment, entries: Sequence[LedgerRow]) -> int:
    """Return the number of entries of the order's end: of an execution its profit, its margin and its charges."""
    if order["status"] != OrderStatus.EXECUTED:
        return int(order["blocked_margin"] > 0) + int(order["charges"] > 0)
    blocked = sum((EFFECTS[LedgerKind(entry["kind"])][1] * entry["amount"] for entry in entries), Decimal(0))
    # Up to its execution the margin of an order's entries adds up to its blocked margin.
    filled = sum(entry["kind"] in REALIZED for entry in entries) + int(blocked != order["blocked_margin"])
    if before.row is not None:
        return filled + int(before.row["charges"] != order["charges"])
    # The charges come last. If they changed and nothing else did, nobody knows any more whether a modification did it.
    return filled + int(filled > 0 and entries[-1]["kind"] in CHARGES)
