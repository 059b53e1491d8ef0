"""Execute an order promptly: alone when there is nothing else to do, together with others under load.

Executions of one process take turns. While one batch commits, the orders behind it gather in the
database, and the next turn takes them all; the messages that announced them then find their orders
done. A batch is taken as sweeping takes one, so that a poison order is found out the same way.

While orders follow one another closely, a turn first waits a moment for more of them: each batch costs
a commit, and every commit makes a placement at the same time wait for the disk.
"""

import threading
import time
from collections.abc import Collection
from uuid import UUID

from models.database import Row, fetch_one, session
from trading.execution.executing import is_known_final
from trading.execution.patience import execute_patiently, held
from trading.execution.sweeping import sweep_once

BATCH = 200
# Behind an execution that takes long, an order is executed on its own after this long.
TURN_S = 0.5
# How long a turn gathers when it follows the last one closely: within half the time that one took.
GATHER_S = 0.05


class Pace:
    """Tells whether orders come faster than one after the other, each after the last one's end."""

    def __init__(self) -> None:
        self._ended_at = 0.0
        self._took_s = 0.0

    def is_busy(self, now: float) -> bool:
        """Tell whether so little time passed since the last turn's end that the order was not sent because of it."""
        return now - self._ended_at < self._took_s / 2

    def record(self, began_at: float, ended_at: float) -> None:
        """Remember the last turn."""
        self._ended_at, self._took_s = ended_at, ended_at - began_at


_turn = threading.Lock()
_pace = Pace()

WAITING = """
SELECT EXISTS (SELECT FROM trading_order WHERE status = 'PENDING' AND retry_at IS NULL AND id <> %(id)s
               AND account_id <> ALL(%(held)s::uuid[])) AS others
FROM trading_order WHERE id = %(id)s AND status = 'PENDING'
"""


def execute_promptly(order_id: UUID) -> None:
    """Execute an order, and what else is PENDING with it; what a sweep suspects is left to sweeping."""
    if is_known_final(order_id):
        return
    if not _turn.acquire(timeout=TURN_S):
        execute_patiently([order_id], unsuspected_only=True)
        return
    try:
        if not is_known_final(order_id):
            _take_turn(order_id)
    finally:
        _turn.release()


def _take_turn(order_id: UUID) -> None:
    held_accounts = held.now()
    waiting = _waiting(order_id, held_accounts)
    if waiting is None:  # another process was faster: a backlog of such messages is worked off at once
        return
    is_busy = _pace.is_busy(time.monotonic())
    if is_busy:
        time.sleep(GATHER_S)
    began_at = time.monotonic()
    if is_busy or waiting["others"]:
        sweep_once(limit=BATCH, but=held_accounts)
    if not is_known_final(order_id):
        execute_patiently([order_id], unsuspected_only=True)
    _pace.record(began_at, time.monotonic())


def _waiting(order_id: UUID, held_accounts: Collection[UUID]) -> Row | None:
    """Tell whether others than this order are PENDING, of accounts that are not held; None when it is not."""
    with session():
        return fetch_one(WAITING, {"id": order_id, "held": list(held_accounts)})
