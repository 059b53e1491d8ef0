"""Wait for an order to end, when a client asks for it with `Prefer: wait=N`."""

import re
import threading
import time
from uuid import UUID

from flask import current_app, request

from models.database import Row, fetch_one, session
from trading.events import bounds

from .listeners import QueueListener

# RFC 7240, section 4.3: the time in seconds that the client is willing to wait.
WAIT = re.compile(r"\s*wait\s*=\s*\"?([0-9]{1,9})\"?\s*(;.*)?", re.IGNORECASE)
LONGEST_WAIT_S = 10
MAX_WAITERS = 500
FINAL = ("EXECUTED", "CANCELLED", "REJECTED")

_waiters = threading.BoundedSemaphore(MAX_WAITERS)


def preferred_wait() -> int | None:
    """Return how many seconds the client is willing to wait, at most 10; None when it does not say."""
    for preference in request.headers.get("Prefer", "").split(","):
        match = WAIT.fullmatch(preference)
        if match:
            return min(int(match[1]), LONGEST_WAIT_S)
    return None


def wait_for_end(account_id: UUID, order_id: UUID, wait_s: int) -> Row | None:
    """Return an order that is final, or becomes so within a time; None when it does not, or too many wait already.

    Holds no database connection while it waits: the hub tells when there is something to look at.
    """
    deadline = time.monotonic() + wait_s
    order = _ended(order_id)
    if order is not None or not _waiters.acquire(blocking=False):
        return order
    listener, hub = QueueListener(account_id, None), current_app.extensions["hub"]
    hub.add(listener)
    try:
        while not hub.go_live(listener, bounds(account_id)[1]):
            pass  # the hub has just handed out more than was read: read again
        while (order := _ended(order_id)) is None and time.monotonic() < deadline:
            _take_until_order(listener, order_id, deadline)
        return order
    finally:
        hub.remove(listener)
        _waiters.release()


def _take_until_order(listener: QueueListener, order_id: UUID, deadline: float) -> None:
    """Take events until one speaks of the order, or the time is over."""
    while (left_s := deadline - time.monotonic()) > 0:
        message = listener.take(left_s)
        if message is None or str(order_id) in message.text:
            return


def _ended(order_id: UUID) -> Row | None:
    with session():
        return fetch_one(
            "SELECT * FROM trading_order WHERE id = %s AND status = ANY(%s::text[])", (order_id, list(FINAL))
        )
