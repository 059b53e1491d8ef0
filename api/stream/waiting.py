"""Wait for orders to end, when a client asks for it with `Prefer: wait=N`."""

import re
import threading
import time
from collections.abc import Collection
from uuid import UUID

from flask import current_app, request

from models.database import session
from models.rows import OrderRow
from trading.orders.order_statements import find_final_orders

from .listeners import QueueListener
from .replay import LOOK_AGAIN_S

# RFC 7240, section 4.3: the time in seconds that the client is willing to wait.
WAIT = re.compile(r"\s*wait\s*=\s*(\"?)(?=[0-9])0*+([0-9]*+)\1\s*(;.*)?", re.IGNORECASE)
LONGEST_WAIT_S = 10
MAX_WAITERS = 500

_waiters = threading.BoundedSemaphore(MAX_WAITERS)


def preferred_wait() -> int | None:
    """Return how many seconds the client is willing to wait, at most 10; None when it does not say."""
    for preference in request.headers.get("Prefer", "").split(","):
        match = WAIT.fullmatch(preference)
        if match:
            # Python refuses to read more than 4,300 digits; three of them say that it is too long.
            return min(int(match[2][:3] or 0), LONGEST_WAIT_S)
    return None


def wait_for_ends(account_id: UUID, order_ids: Collection[UUID], wait_s: int) -> dict[UUID, OrderRow]:
    """Return those of an account's orders that are final, or become so within a time, by their ids.

    Waits until all of them are, and not at all when too many requests wait already. Holds no database connection
    while it waits: the hub tells when there is something to look at.
    """
    deadline = time.monotonic() + wait_s
    ended = _ended(order_ids)
    if len(ended) == len(order_ids) or not _waiters.acquire(blocking=False):
        return ended
    listener, hub = QueueListener(account_id, None), current_app.extensions["hub"]
    hub.add(listener)
    try:
        while not hub.go_live(listener, hub.look_up(account_id).newest.id) and time.monotonic() < deadline:
            time.sleep(LOOK_AGAIN_S)  # the hub has just handed out more than was read: read again
        while len(ended := _ended(order_ids)) < len(order_ids) and time.monotonic() < deadline:
            _take_until_order(listener, [str(each) for each in order_ids if each not in ended], deadline)
        return ended
    finally:
        hub.remove(listener)
        _waiters.release()


def _take_until_order(listener: QueueListener, order_ids: Collection[str], deadline: float) -> None:
    """Take events until one speaks of one of the orders, or the time is over."""
    while (left_s := deadline - time.monotonic()) > 0:
        message = listener.take(left_s)
        if message is None or any(order_id in message.text for order_id in order_ids):
            return


def _ended(order_ids: Collection[UUID]) -> dict[UUID, OrderRow]:
    with session():
        return find_final_orders(order_ids)
