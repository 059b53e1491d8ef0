"""End an order without a fill: cancel it for its owner or reject it, and give everything back."""

from collections.abc import Callable
from uuid import UUID

from models.database import Row, fetch_one, transactional
from trading import events
from trading.books import entries_of, lock_books, save_books, write_rows
from trading.errors import NotFound, OrderNotOpen, PreconditionFailed
from trading.ledger import Book
from trading.shares import within_share

# Judges an order's row, with its `transactions`, when nobody else can change it any more.
Judge = Callable[[Row], bool]


@within_share
def cancel_order(account_id: UUID, order_id: UUID, *, is_current: Judge | None = None) -> Row:
    """Cancel a PENDING order of an account and return its row.

    Raises NotFound, OrderNotOpen, or PreconditionFailed when it is not the one that is_current knows.
    """
    order = _cancel(account_id, order_id, is_current)
    events.nudge([account_id])
    return order


def reject_order(order_id: UUID, reason: str) -> bool:
    """Reject an order that cannot be executed; False when it is final already. The reason is a code."""
    account_id = _reject(order_id, reason)
    if account_id is not None:
        events.nudge([account_id])
    return account_id is not None


def lock_open_order(account_id: UUID, order_id: UUID, is_current: Judge | None = None) -> Row:
    """Lock an account's PENDING order and return its row; raises NotFound, OrderNotOpen or PreconditionFailed.

    Whoever locks the account as well does it after this, as everybody does.
    """
    order = fetch_one(
        "SELECT * FROM trading_order WHERE id = %s AND account_id = %s FOR NO KEY UPDATE", (order_id, account_id)
    )
    if order is None:
        raise NotFound
    if order["status"] != "PENDING":
        raise OrderNotOpen(status=order["status"])
    if is_current is not None and not is_current(order | {"transactions": entries_of(order_id)}):
        raise PreconditionFailed
    return order


@transactional
def _cancel(account_id: UUID, order_id: UUID, is_current: Judge | None) -> Row:
    _finish(lock_open_order(account_id, order_id, is_current), "CANCELLED", None)
    cancelled = fetch_one("SELECT * FROM trading_order WHERE id = %s", (order_id,))
    assert cancelled is not None
    return cancelled


@transactional
def _reject(order_id: UUID, reason: str) -> UUID | None:
    order = fetch_one("SELECT * FROM trading_order WHERE id = %s AND status = 'PENDING' FOR NO KEY UPDATE", (order_id,))
    if order is None:
        return None
    _finish(order, "REJECTED", reason)
    account_id: UUID = order["account_id"]
    return account_id


def _finish(order: Row, status: str, reason: str | None) -> None:
    book = lock_books([order["account_id"]])[order["account_id"]]
    give_back(book, order)
    save_books([book])
    write_final([(order["id"], status, reason)])


def give_back(book: Book, order: Row) -> None:
    """Post the release of an order's blocked margin and the refund of its charges."""
    book.post("MARGIN_RELEASE", order["blocked_margin"], order_id=order["id"])
    book.post("CHARGES_REFUND", order["charges"], order_id=order["id"])


def write_final(orders: list[tuple[UUID, str, str | None]]) -> None:
    """Set final statuses without a fill, given as (order id, status, rejection reason or None)."""
    write_rows(
        "UPDATE trading_order SET status = ended.status, rejection_reason = ended.reason,"
        " updated_at = clock_timestamp()"
        " FROM (VALUES %s) AS ended (id, status, reason) WHERE trading_order.id = ended.id",
        orders,
        template="(%s, %s, %s::text)",
    )
