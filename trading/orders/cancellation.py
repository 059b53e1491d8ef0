"""End an order without a fill: cancel it for its owner, or reject it; its margin and charges are given back."""

from collections.abc import Collection
from uuid import UUID

from models.database import transactional
from models.rows import OrderRow
from runtime.logs import get_logger
from runtime.order_log import log_order_at_commit
from trading.accounts.ledgers import lock_free_ledgers, save_ledgers
from trading.accounts.shares import within_share
from trading.events import publishing
from trading.orders.open_orders import Attempt, lock_open_order, when_free
from trading.orders.order_statements import end_orders, find_order, lock_free_live_order
from trading.rules.ledger import AccountLedger
from trading.rules.terms import EndReason, LedgerKind, OrderStatus

logger = get_logger(__name__)


@within_share
def cancel_order(account_id: UUID, order_id: UUID, *, expected_versions: Collection[int] | None = None) -> OrderRow:
    """Cancel a live order of an account and return its row.

    Raises NotFound, OrderNotOpen, or PreconditionFailed if the order has none of the expected versions.
    """
    order = when_free(lambda attempt: _cancel(account_id, order_id, attempt, expected_versions))
    publishing.nudge([account_id])
    return order


def reject_order(account_id: UUID, order_id: UUID, reason: str) -> bool:
    """Reject an account's order that cannot be executed; the reason is a code of the error table.

    Return False, with nothing done, if the order is final or its account or row is locked.
    """
    is_rejected = _reject(account_id, order_id, reason)
    if is_rejected:
        publishing.nudge([account_id])
    return is_rejected


@transactional
def _cancel(account_id: UUID, order_id: UUID, attempt: Attempt, expected_versions: Collection[int] | None) -> OrderRow:
    order, ledger = lock_open_order(account_id, order_id, attempt, expected_versions)
    _end(ledger, order, OrderStatus.CANCELLED, None, EndReason.CLIENT)
    cancelled = find_order(account_id, order_id)
    assert cancelled is not None
    return cancelled


@transactional
def _reject(account_id: UUID, order_id: UUID, reason: str) -> bool:
    ledger = lock_free_ledgers([account_id]).get(account_id)
    order = lock_free_live_order(account_id, order_id)
    if ledger is None or order is None:
        return False
    _end(ledger, order, OrderStatus.REJECTED, reason)
    return True


def _end(
    ledger: AccountLedger, order: OrderRow, status: OrderStatus, reason: str | None, end_reason: str | None = None
) -> None:
    give_back(ledger, order)
    save_ledgers([ledger])
    end_orders([(order, status, reason)], end_reason=end_reason)
    if status == OrderStatus.REJECTED:
        log_order_at_commit(logger, "order_rejected", order, reason=reason)
    else:
        note_end(order, end_reason)


def note_end(order: OrderRow, reason: str | None) -> None:
    """Log the cancellation of an order after the commit of this transaction."""
    log_order_at_commit(logger, "order_ended", order, status=str(OrderStatus.CANCELLED), reason=reason)


def give_back(ledger: AccountLedger, order: OrderRow) -> None:
    """Post the release of an order's blocked margin and the refund of its charges."""
    ledger.post(LedgerKind.MARGIN_RELEASE, order["blocked_margin"], order_id=order["id"])
    ledger.post(LedgerKind.CHARGES_REFUND, order["charges"], order_id=order["id"])
