"""Prompt execution of an order: alone if no other order is due, else together with the others as one batch.

The executions of one process take turns. The orders that arrive while one batch commits are due in the database,
and the next turn takes all of them; their own messages then find them final. A turn takes its batch through a sweep,
so that an order that fails is isolated in the same way.

If orders arrive back to back, a turn first waits COALESCE_S for more of them: each batch costs a commit, and
every commit makes concurrent placements wait for the disk. After a full batch there is nothing to wait for.
"""

import threading
import time
from collections.abc import Callable, Collection
from uuid import UUID

from config import MAX_SHARDS
from models import buckets
from models.database import fetch_one, session
from trading.execution.executing import is_known_final
from trading.execution.patience import execute_patiently, held
from trading.execution.sweeping import sweep_once

MAX_BATCH = 200
# An order that waited this long for its turn is executed on its own.
TURN_S = 0.5
# The wait of a turn that begins within half the duration of the last turn after its end.
COALESCE_S = 0.05

# "IS NOT FALSE" leaves the planner only the primary key, and admits an account that is not known.
WAITING = """
SELECT EXISTS (SELECT FROM trading_order WHERE status IN ('PENDING', 'OPEN') AND due_at <= market_now()
               AND retry_at IS NULL AND id <> %(id)s AND account_id <> ALL(%(held)s::uuid[])) AS others
FROM trading_order WHERE id = %(id)s AND (account_id = %(account)s::uuid) IS NOT FALSE
    AND status IN ('PENDING', 'OPEN') AND due_at IS NOT NULL
"""


class Pace:
    """The end and the duration of the last turn, from which the arrival rate of orders is judged."""

    def __init__(self) -> None:
        self._ended_at = 0.0
        self._took_s = 0.0
        self.was_full = False

    def is_busy(self, now: float) -> bool:
        """Return True if orders arrive back to back: this one cannot be a client's reaction to the last fill."""
        return now - self._ended_at < self._took_s / 2

    def record(self, began_at: float, ended_at: float, *, was_full: bool = False) -> None:
        """Store the last turn, and whether its batch was full, so that more orders are due already."""
        self._ended_at, self._took_s, self.was_full = ended_at, ended_at - began_at, was_full


class Coalescer:
    """Executes orders in turns; every turn executes all due orders as one batch, up to max_batch."""

    def __init__(
        self,
        *,
        pace: Pace | None = None,
        max_batch: int = MAX_BATCH,
        turn_s: float = TURN_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pace = pace or Pace()
        self._max_batch = max_batch
        self._turn_s = turn_s
        self._sleep = sleep
        self._turn = threading.Lock()

    def execute(self, order_id: UUID, account_id: UUID | None = None) -> None:
        """Execute an order, and others that are due with it; suspects of a sweep are left to sweeping.

        With account_id, an order of another account is left alone.
        """
        if is_known_final(order_id):
            return
        if not self._turn.acquire(timeout=self._turn_s):
            execute_patiently([order_id], unsuspected_only=True)
            return
        try:
            if not is_known_final(order_id):
                self._take_turn(order_id, account_id)
        finally:
            self._turn.release()

    def _take_turn(self, order_id: UUID, account_id: UUID | None) -> None:
        held_accounts = held.now()
        has_company = _has_company(order_id, account_id, held_accounts)
        if has_company is None:  # another process was faster; a queue of such messages must not wait one by one
            return
        is_busy = self._pace.is_busy(time.monotonic())
        if is_busy and not self._pace.was_full:
            self._sleep(COALESCE_S)
        began_at, was_full = time.monotonic(), False
        if is_busy or has_company:
            was_full = sweep_once(limit=self._max_batch, but=held_accounts).claimed >= self._max_batch
        if not is_known_final(order_id):
            execute_patiently([order_id], unsuspected_only=True)
        self._pace.record(began_at, time.monotonic(), was_full=was_full)


def _has_company(order_id: UUID, account_id: UUID | None, held_accounts: Collection[UUID]) -> bool | None:
    """Return True if other orders are due, except those of held accounts; None if this order is not due."""
    with session():
        row = fetch_one(WAITING, {"id": order_id, "account": account_id, "held": list(held_accounts)})
    return None if row is None else bool(row["others"])


_coalescers = [Coalescer() for _ in range(MAX_SHARDS)]


def execute_promptly(order_id: UUID, account_id: UUID | None = None) -> None:
    """Execute an order, of this account if it is known, in the turns of this process for the account's bucket.

    Where there are several buckets, an order without an account is left to sweeping.
    """
    if account_id is None:
        if not buckets.are_several():
            _coalescers[0].execute(order_id)
        return
    with buckets.of(account_id):
        _coalescers[buckets.shard_of(account_id)].execute(order_id, account_id)
