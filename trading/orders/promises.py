"""Cancel the live orders to which a position is promised, under the account's lock.

Who holds an account waits for no order: if one is busy, the transaction ends, the order is waited for while nothing is
held, and the transaction begins again.
"""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from models.connections import LOCK_TIMEOUT_MS
from models.database import DatabaseUnavailable, fetch_all, transactional
from models.rows import OrderRow
from trading.accounts.ledgers import lock_ledgers, save_ledgers
from trading.orders.cancellation import give_back, note_end
from trading.orders.order_statements import end_orders
from trading.rules.decision import OrderRequest
from trading.rules.terms import EndReason, OrderStatus

Result = TypeVar("Result")

# The market has traded a matched order: it is not taken back. Nor is a closing order of the square-off. The index
# order_live_promises finds them.
PROMISES = """
SELECT * FROM trading_order
WHERE account_id = %s AND stock_id = %s AND product = %s AND side = %s AND closing_quantity > 0
  AND status IN ('PENDING', 'OPEN') AND matched_at IS NULL AND origin = 'CLIENT'
ORDER BY id
"""
WAIT = """
SELECT id FROM trading_order WHERE id = ANY(%s::uuid[]) AND (account_id = %s) IS TRUE ORDER BY id FOR NO KEY UPDATE
"""


class PromisesBusy(Exception):
    """Other transactions have locked some of the account's orders."""

    def __init__(self, account_id: UUID, order_ids: Sequence[UUID]) -> None:
        super().__init__(account_id, order_ids)
        self.account_id = account_id
        self.order_ids = order_ids


def cancel_promises(account_id: UUID, stock_id: UUID | None, request: OrderRequest) -> bool:
    """Cancel an account's live orders that will close the position that a request closes; return False without any.

    Needs the account's lock. Raises PromisesBusy.
    """
    where = (account_id, stock_id, request.product, request.side)
    orders = fetch_all(f"{PROMISES} FOR NO KEY UPDATE SKIP LOCKED", where, OrderRow)
    locked = {order["id"] for order in orders}
    busy = [order["id"] for order in fetch_all(PROMISES, where, OrderRow) if order["id"] not in locked]
    if busy:
        raise PromisesBusy(account_id, busy)
    if not orders:
        return False
    ledger = lock_ledgers([account_id])[account_id]
    for order in orders:
        give_back(ledger, order)
        note_end(order, EndReason.CLIENT)
    save_ledgers([ledger])
    end_orders([(order, OrderStatus.CANCELLED, None) for order in orders], end_reason=EndReason.CLIENT)
    return True


def when_promises_are_free(action: Callable[[], Result]) -> Result:
    """Return the result of a transaction, which is run again after PromisesBusy for about 3 s.

    Raises DatabaseUnavailable after that time.
    """
    end = time.monotonic() + LOCK_TIMEOUT_MS / 1000
    while True:
        try:
            return action()
        except PromisesBusy as busy:
            if time.monotonic() >= end:
                raise DatabaseUnavailable("orders of the position stayed busy") from None
            wait_for_orders(busy.account_id, busy.order_ids)


@transactional
def wait_for_orders(account_id: UUID, order_ids: Sequence[UUID]) -> None:
    """Wait until no other transaction has locked any of these orders of an account; hold nothing meanwhile."""
    fetch_all(WAIT, (list(order_ids), account_id))
