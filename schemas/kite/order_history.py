"""Kite's history of an order: its snapshots, oldest first, with the states that an order passes through."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .orders import Row, kite_order

BEFORE_THE_BOOK = ("PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING")
WAITING = "AMO REQ RECEIVED"
BEFORE_A_CHANGE = ("MODIFY VALIDATION PENDING", "MODIFY PENDING", "MODIFIED")
NOT_AT_EXCHANGE = {"exchange_order_id": None, "exchange_timestamp": None, "exchange_update_timestamp": None}
PLACED, MODIFIED = "order.pending", "order.modified"


def kite_history(row: Row, events: Sequence[Mapping[str, Any]], instrument_token: int) -> list[dict[str, Any]]:
    """Return the snapshots of an order from its events, oldest first; the last one is the order as it is now."""
    found: list[dict[str, Any]] = []
    for event in events:
        # An event of the release before migration 0018 has no number.
        data = {"order_number": row["order_number"], "modifications": 0, "modified_at": None} | event["data"]
        found += _snapshots({**event, "data": data}, found[-1:], instrument_token)
    present = kite_order(row, instrument_token)
    if found and found[-1]["status"] == present["status"]:
        found.pop()
    return [*found, present]


def _snapshots(
    event: Mapping[str, Any], before: Sequence[dict[str, Any]], instrument_token: int
) -> Iterator[dict[str, Any]]:
    """Yield the snapshots of one event: the states on the way, and the order after it unless nothing shows of it."""
    after = kite_order(event["data"], instrument_token)
    if event["type"] == PLACED:
        passed = BEFORE_THE_BOOK[:-1] if after["status"] == WAITING else BEFORE_THE_BOOK
        yield from ({**after, **NOT_AT_EXCHANGE, "status": status} for status in passed)
    elif event["type"] == MODIFIED:
        yield from ({**unchanged, "status": status} for unchanged in before for status in BEFORE_A_CHANGE)
    elif [snapshot["status"] for snapshot in before] == [after["status"]]:
        return
    yield after
