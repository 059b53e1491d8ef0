"""Wait until orders are final or rest, as a client asks for it with `Prefer: wait=N`."""

import re
import threading
import time
from collections.abc import Collection, Set
from uuid import UUID

from flask import current_app, request

from models.database import session
from models.rows import OrderRow
from trading.orders.order_statements import find_judged_orders

from .listeners import QueueListener
from .replay import LOOK_AGAIN_S

# RFC 7240, section 4.3: the time in seconds that the client is willing to wait.
WAIT = re.compile(r"\s*wait\s*=\s*(\"?)(?=[0-9])0*+([0-9]*+)\1\s*(;.*)?", re.IGNORECASE)
MAX_WAIT_S = 10
MAX_WAITERS = 500

_waiters = threading.BoundedSemaphore(MAX_WAITERS)


def preferred_wait() -> int | None:
    """Return the seconds that the client is willing to wait, at most 10, or None if it names none."""
    given = request.environ.get("HTTP_PREFER")
    for preference in given.split(",") if given else ():
        match = WAIT.fullmatch(preference)
        if match:
            # Python refuses to read more than 4,300 digits; three of them show that the number is over 10.
            return min(int(match[2][:3] or 0), MAX_WAIT_S)
    return None


def wait_for_judgements(account_id: UUID, order_ids: Collection[UUID], wait_s: int) -> dict[UUID, OrderRow]:
    """Return those of an account's orders that are final or OPEN, or become so within wait_s seconds, by their ids.

    Return as soon as none of them is PENDING, and at once if too many requests wait already. Hold no connection of the
    database while waiting: the hub tells of each change.
    """
    deadline = time.monotonic() + wait_s
    judged = _judged_orders(account_id, order_ids)
    if len(judged) == len(order_ids) or not _waiters.acquire(blocking=False):
        return judged
    listener, hub = QueueListener(account_id, None), current_app.extensions["hub"]
    hub.add(listener)
    try:
        while not hub.go_live(listener, hub.look_up(account_id).newest.id) and time.monotonic() < deadline:
            time.sleep(LOOK_AGAIN_S)  # the hub has just handed out a later event than the one read here
        while len(judged := _judged_orders(account_id, order_ids)) < len(order_ids) and time.monotonic() < deadline:
            _wait_for_change(listener, {str(order_id) for order_id in order_ids if order_id not in judged}, deadline)
        return judged
    finally:
        hub.remove(listener)
        _waiters.release()


def _wait_for_change(listener: QueueListener, order_ids: Set[str], deadline: float) -> None:
    """Wait for an event of one of the orders, at most until the deadline."""
    while (left_s := deadline - time.monotonic()) > 0:
        message = listener.take(left_s)
        if message is None or message.subject_id in order_ids:
            return


def _judged_orders(account_id: UUID, order_ids: Collection[UUID]) -> dict[UUID, OrderRow]:
    with session():
        return find_judged_orders(account_id, order_ids)
