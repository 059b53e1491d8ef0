"""End an order without a fill: cancel it for its owner or reject it, and give everything back."""

from uuid import UUID

from models.database import Row, fetch_one, transactional
from models.rows import OrderRow
from trading.accounts.ledgers import lock_free_ledgers, save_ledgers, write_rows
from trading.accounts.shares import within_share
from trading.events import publishing
from trading.orders.open_orders import Attempt, Judge, lock_open_order, when_free
from trading.rules.ledger import AccountLedger

PENDING = "SELECT * FROM trading_order WHERE id = %s AND status = 'PENDING'"


@within_share
def cancel_order(account_id: UUID, order_id: UUID, *, is_current: Judge | None = None) -> Row:
    """Cancel a PENDING order of an account and return its row.

    Raises NotFound, OrderNotOpen, or PreconditionFailed when it is not the one that is_current knows.
    """
    order = when_free(lambda attempt: _cancel(account_id, order_id, attempt, is_current))
    publishing.nudge([account_id])
    return order


def reject_order(order_id: UUID, reason: str) -> bool:
    """Reject an order that cannot be executed; False when it is final already, or busy. The reason is a code."""
    account_id = _reject(order_id, reason)
    if account_id is not None:
        publishing.nudge([account_id])
    return account_id is not None


@transactional
def _cancel(account_id: UUID, order_id: UUID, attempt: Attempt, is_current: Judge | None) -> Row:
    order, ledger = lock_open_order(account_id, order_id, attempt, is_current)
    _finish(ledger, order, "CANCELLED", None)
    cancelled = fetch_one("SELECT * FROM trading_order WHERE id = %s", (order_id,))
    assert cancelled is not None
    return cancelled


@transactional
def _reject(order_id: UUID, reason: str) -> UUID | None:
    order = fetch_one(PENDING, (order_id,))
    if order is None:
        return None
    account_id: UUID = order["account_id"]
    ledger = lock_free_ledgers([account_id]).get(account_id)
    order = fetch_one(f"{PENDING} FOR NO KEY UPDATE SKIP LOCKED", (order_id,))
    if ledger is None or order is None:
        return None
    _finish(ledger, order, "REJECTED", reason)
    return account_id


def _finish(ledger: AccountLedger, order: Row, status: str, reason: str | None) -> None:
    give_back(ledger, order)
    save_ledgers([ledger])
    write_final([(order["id"], status, reason)])


def give_back(ledger: AccountLedger, order: Row | OrderRow) -> None:
    """Post the release of an order's blocked margin and the refund of its charges."""
    ledger.post("MARGIN_RELEASE", order["blocked_margin"], order_id=order["id"])
    ledger.post("CHARGES_REFUND", order["charges"], order_id=order["id"])


def write_final(orders: list[tuple[UUID, str, str | None]]) -> None:
    """Set final statuses without a fill, given as (order id, status, rejection reason or None)."""
    write_rows(
        "UPDATE trading_order SET status = ended.status, rejection_reason = ended.reason,"
        " updated_at = clock_timestamp()"
        " FROM (VALUES %s) AS ended (id, status, reason) WHERE trading_order.id = ended.id",
        orders,
        template="(%s, %s, %s::text)",
    )
