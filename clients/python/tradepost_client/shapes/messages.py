"""The events of an account, and the other messages of the stream."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .accounts import Account, Position
from .market import LiveQuote
from .orders import OrderDetail


@dataclass(frozen=True, kw_only=True)
class Event:
    """A change of an account, with its number; `data` is the changed object as the API spells it.

    OrderEvent, PositionEvent and AccountEvent have the object itself; an event of a type that this package does not
    know is an Event.
    """

    id: int
    type: str
    at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class OrderEvent(Event):
    """An order was placed, has changed, or is final; the order has no `transactions`."""

    order: OrderDetail


@dataclass(frozen=True, kw_only=True)
class PositionEvent(Event):
    """A position was opened or has changed."""

    position: Position


@dataclass(frozen=True, kw_only=True)
class AccountEvent(Event):
    """An account was opened, or its money, status, name or fill model has changed."""

    account: Account


@dataclass(frozen=True, kw_only=True)
class Reset:
    """Events are missing for good: read the state over HTTP; the stream goes on after `last_event_id`."""

    last_event_id: int


@dataclass(frozen=True, kw_only=True)
class Watching:
    """The stocks that the stream watches, and the unknown ones among those that were asked for."""

    symbols: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class EventPage:
    """Events over HTTP, oldest first; `reset` means that some after `since` are missing for good."""

    data: tuple[Event, ...]
    last_event_id: int
    reset: bool = False


Message = Event | LiveQuote | Reset | Watching
