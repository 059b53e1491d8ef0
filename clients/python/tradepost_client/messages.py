"""Read events and the other messages of the stream."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .json_shapes import read_as
from .shapes.accounts import Account, Position
from .shapes.market import LiveQuote
from .shapes.messages import AccountEvent, Event, Message, OrderEvent, PositionEvent, Reset, Watching
from .shapes.orders import OrderDetail


def event_of(document: Mapping[str, Any]) -> Event:
    """Return an event with its order, position or account."""
    data = document["data"]
    facts = {
        "id": document["id"],
        "type": document["type"],
        "at": datetime.fromisoformat(document["at"]),
        "data": data,
    }
    match document["type"].partition(".")[0]:
        case "order":
            return OrderEvent(order=read_as(OrderDetail, data), **facts)
        case "position":
            return PositionEvent(position=read_as(Position, data), **facts)
        case "account":
            return AccountEvent(account=read_as(Account, data), **facts)
    return Event(**facts)


def message_of(document: Mapping[str, Any]) -> Message | None:
    """Return a message of the stream, or None for one that this package does not know."""
    match document["type"]:
        case "quote":
            return read_as(LiveQuote, document["data"])
        case "reset":
            return Reset(last_event_id=document["lastEventId"])
        case "watching":
            return read_as(Watching, document)
    return event_of(document) if "id" in document else None
