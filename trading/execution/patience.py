"""Execution with a bounded wait for busy accounts.

A batch never waits for a lock. Each busy account is then waited for alone, by a worker that holds no other lock, and by
one worker of the fleet at a time; the total wait is bounded. An account that stays busy, for example in an operator's
open transaction, is left out for a while.
"""

import functools
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from models.database import DatabaseUnavailable, sqlstate
from runtime import metrics
from runtime.logs import get_logger
from trading.execution.awaiting import AnotherWaits, Await
from trading.execution.executing import Outcome, execute_orders

# A placement holds its account for about 5 ms, so that only an open transaction lasts longer than this. It is short
# beside the interval of 750 ms between two sweeps, in which there is one such wait.
WAIT_S = 0.1
# The interval between two tries while another worker waits for an account.
PAUSE_S = 0.01
HELD_FOR_S = 1.0
LOCK_NOT_AVAILABLE = "55P03"

logger = get_logger(__name__)


class HeldAccounts:
    """The accounts that stayed busy through a whole wait, each remembered for HELD_FOR_S."""

    def __init__(self) -> None:
        self._until: dict[UUID, float] = {}
        self._lock = threading.Lock()

    def add(self, account_id: UUID) -> None:
        """Add an account."""
        with self._lock:
            self._until[account_id] = time.monotonic() + HELD_FOR_S

    def now(self) -> set[UUID]:
        """Return the accounts that are still remembered."""
        with self._lock:
            self._until = {key: until for key, until in self._until.items() if until > time.monotonic()}
            return set(self._until)


held = HeldAccounts()


def execute_patiently(order_ids: Iterable[UUID], *, unsuspected_only: bool = False, alone: bool = False) -> Outcome:
    """Execute orders as execute_orders does, then wait up to 100 ms in all for the busy accounts."""
    execute = functools.partial(execute_orders, unsuspected_only=unsuspected_only, alone=alone)
    outcome = execute(order_ids)
    if not outcome.busy:
        return outcome
    end, held_already = time.monotonic() + WAIT_S, held.now()
    for account_id, left in outcome.busy.items():
        if account_id not in held_already and time.monotonic() < end:
            outcome = _sum(outcome, account_id, _execute_when_free(account_id, left, execute, end))
    return outcome


def _execute_when_free(
    account_id: UUID, order_ids: Sequence[UUID], execute: Callable[..., Outcome], end: float
) -> Outcome:
    """Execute orders of one account as soon as it is free."""
    outcome, is_held = Outcome(0, 0, len(order_ids), {account_id: list(order_ids)}), False
    while outcome.busy and not is_held and (left_ms := int((end - time.monotonic()) * 1000)) > 0:
        try:
            outcome = execute(order_ids, wait=Await(account_id, left_ms))
            is_held = bool(outcome.busy)  # the account was locked here, so a position is held
        except AnotherWaits:
            time.sleep(PAUSE_S)
            outcome = execute(order_ids)
        except DatabaseUnavailable as error:
            if sqlstate(error) != LOCK_NOT_AVAILABLE:
                raise
            is_held = True
    metrics.of(metrics.ACCOUNT_WAITS, "held" if is_held else "left" if outcome.busy else "freed").inc()
    if is_held:
        held.add(account_id)
        logger.warning("account_held", account_id=str(account_id), orders=len(order_ids))
    return outcome


def _sum(first: Outcome, account_id: UUID, later: Outcome) -> Outcome:
    """Return the outcome of a batch combined with the later outcome for one of its busy accounts."""
    others = {key: left for key, left in first.busy.items() if key != account_id}
    return Outcome(
        first.executed + later.executed,
        first.rejected + later.rejected,
        first.skipped - len(first.busy[account_id]) + later.skipped,
        {**others, **later.busy},
        first.opened + later.opened,
        first.cancelled + later.cancelled,
        first.expired + later.expired,
    )
