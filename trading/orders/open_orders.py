"""Lock a live order with its account, for a request that changes or ends it.

A request that has locked an order's row does not wait for the account: others that want the row would wait with it.
It ends its transaction, waits for the account while it holds nothing, and begins again.
"""

import time
from collections.abc import Callable, Collection
from typing import NamedTuple, TypeVar
from uuid import UUID

from models.connections import LOCK_TIMEOUT_MS
from models.database import DatabaseUnavailable, execute
from models.rows import OrderRow
from trading.accounts.ledgers import lock_free_ledgers, lock_ledgers
from trading.orders.order_statements import find_order, lock_free_order, lock_order
from trading.rules.errors import ClosesForSquareOff, NotFound, OrderNotOpen, PreconditionFailed
from trading.rules.ledger import AccountLedger
from trading.rules.terms import OrderOrigin, OrderStatus

Result = TypeVar("Result")

SET_LOCK_TIMEOUT = "SELECT set_config('lock_timeout', %s, true)"


class Busy(Exception):
    """Another transaction has locked the order or its account."""


class Attempt(NamedTuple):
    """The way to lock: the order or the account first. Only the first one is waited for, at most for wait_ms."""

    account_first: bool
    wait_ms: int


def when_free(action: Callable[[Attempt], Result]) -> Result:
    """Return the result of a transaction, which is run again after Busy for about 3 s.

    Raises DatabaseUnavailable after that time.
    """
    end, attempt = time.monotonic() + LOCK_TIMEOUT_MS / 1000, Attempt(account_first=False, wait_ms=LOCK_TIMEOUT_MS)
    while True:
        try:
            return action(attempt)
        except Busy:
            attempt = Attempt(not attempt.account_first, int((end - time.monotonic()) * 1000))
            if attempt.wait_ms <= 0:
                raise DatabaseUnavailable("the account stayed busy") from None


def lock_open_order(
    account_id: UUID, order_id: UUID, attempt: Attempt, expected_versions: Collection[int] | None = None
) -> tuple[OrderRow, AccountLedger]:
    """Lock an account's live order and the account, and return the order's row and the account's ledger.

    Raises NotFound, OrderNotOpen, ClosesForSquareOff, Busy, or PreconditionFailed if the order has none of the expected
    versions (None: every version will do).
    """
    if attempt.wait_ms != LOCK_TIMEOUT_MS:
        execute(SET_LOCK_TIMEOUT, (f"{attempt.wait_ms}ms",))
    if attempt.account_first:
        ledger = lock_ledgers([account_id]).get(account_id)
        order = checked(_lock_free_order(account_id, order_id), expected_versions)
    else:
        order = checked(lock_order(account_id, order_id), expected_versions)
        ledger = lock_free_ledgers([account_id]).get(account_id)
    if ledger is None:
        raise Busy
    return order, ledger


def _lock_free_order(account_id: UUID, order_id: UUID) -> OrderRow | None:
    """Lock a free order and return it, or None if it does not exist; raises Busy if another transaction has it."""
    order = lock_free_order(account_id, order_id)
    if order is None and find_order(account_id, order_id) is not None:
        raise Busy
    return order


def checked(order: OrderRow | None, expected_versions: Collection[int] | None = None) -> OrderRow:
    """Return an order that may be changed or ended; raises the errors of lock_open_order but for Busy."""
    if order is None:
        raise NotFound
    if OrderStatus(order["status"]).is_final:
        raise OrderNotOpen(status=order["status"])
    if order["matched_at"] is not None:
        raise OrderNotOpen(status=order["status"], matched_at=order["matched_at"])
    if order["origin"] == OrderOrigin.SQUARE_OFF:
        raise ClosesForSquareOff(status=order["status"])
    if expected_versions is not None and order["version"] not in expected_versions:
        raise PreconditionFailed
    return order
