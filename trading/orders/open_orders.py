"""Lock a PENDING order with its account, for a request that changes or ends it.

A request that has an order's row does not wait for the account: it would hold up others that want the row. It
gives both back, waits for the account while it holds nothing, and begins again.
"""

import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar
from uuid import UUID

from models.connections import LOCK_TIMEOUT_MS
from models.database import DatabaseUnavailable, Row, execute, fetch_one
from trading.accounts.ledgers import entries_of, lock_free_ledgers, lock_ledgers
from trading.rules.errors import NotFound, OrderNotOpen, PreconditionFailed
from trading.rules.ledger import AccountLedger

Result = TypeVar("Result")
# Judges an order's row, with its `transactions`, when nobody else can change it any more.
Judge = Callable[[Row], bool]

ORDER = "SELECT * FROM trading_order WHERE id = %s AND account_id = %s"
LOCK = "FOR NO KEY UPDATE"


class Busy(Exception):
    """An order or its account is in somebody else's hands."""


class Attempt(NamedTuple):
    """How to lock: the order or the account first, waiting for that one only, and for how long (ms)."""

    account_first: bool
    wait_ms: int


def when_free(action: Callable[[Attempt], Result]) -> Result:
    """Run a transaction that may raise Busy, again from its start for about 3 s; then raise DatabaseUnavailable."""
    end, attempt = time.monotonic() + LOCK_TIMEOUT_MS / 1000, Attempt(account_first=False, wait_ms=LOCK_TIMEOUT_MS)
    while True:
        try:
            return action(attempt)
        except Busy:
            attempt = Attempt(not attempt.account_first, int((end - time.monotonic()) * 1000))
            if attempt.wait_ms <= 0:
                raise DatabaseUnavailable("the account stayed busy") from None


def lock_open_order(
    account_id: UUID, order_id: UUID, attempt: Attempt, is_current: Judge | None = None
) -> tuple[Row, AccountLedger]:
    """Lock an account's PENDING order and the account, and return the order's row and the account's ledger.

    Raises NotFound, OrderNotOpen, PreconditionFailed or Busy.
    """
    if attempt.wait_ms != LOCK_TIMEOUT_MS:
        execute("SELECT set_config('lock_timeout', %s, true)", (f"{attempt.wait_ms}ms",))
    if attempt.account_first:
        ledger = lock_ledgers([account_id]).get(account_id)
        order = _judged(_free_order(account_id, order_id), is_current)
    else:
        order = _judged(fetch_one(f"{ORDER} {LOCK}", (order_id, account_id)), is_current)
        ledger = lock_free_ledgers([account_id]).get(account_id)
    if ledger is None:
        raise Busy
    return order, ledger


def _free_order(account_id: UUID, order_id: UUID) -> Row | None:
    """Lock an order that nobody else has locked; None when there is none."""
    order = fetch_one(f"{ORDER} {LOCK} SKIP LOCKED", (order_id, account_id))
    if order is None and fetch_one(ORDER, (order_id, account_id)) is not None:
        raise Busy
    return order


def _judged(order: Row | None, is_current: Judge | None) -> Row:
    if order is None:
        raise NotFound
    if order["status"] != "PENDING":
        raise OrderNotOpen(status=order["status"])
    if is_current is not None and not is_current(order | {"transactions": entries_of(order["id"])}):
        raise PreconditionFailed
    return order
