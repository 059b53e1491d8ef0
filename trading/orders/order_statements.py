"""The statements on an order that several modules need: read it, lock it, end it."""

from collections.abc import Collection, Sequence
from uuid import UUID

from models.database import fetch_all, fetch_one
from models.routing import session_of_all
from models.rows import LedgerRow, OrderRow
from models.spanning import each_in_transaction
from trading.accounts.ledgers import write_rows
from trading.rules.errors import NotFound

# The start of a list of orders; the caller adds its conditions.
ORDERS = "SELECT * FROM trading_order"
# "IS TRUE" leaves the planner only the primary key. With statistics from an hour in which each account had few orders,
# it would otherwise read all orders of the account.
ORDER = f"{ORDERS} WHERE id = %s AND (account_id = %s) IS TRUE"
# One statement, so that the order and its entries are of one moment: a fill could commit between two statements.
WITH_ENTRIES = """
SELECT trading_order.*, (
    SELECT coalesce(jsonb_agg(to_jsonb(entry) ORDER BY entry.id), '[]') FROM fund_transaction AS entry
    WHERE entry.order_id = trading_order.id AND (entry.account_id = trading_order.account_id) IS TRUE
) AS transactions
FROM trading_order
"""
ORDER_WITH_ENTRIES = f"{WITH_ENTRIES} WHERE id = %s AND (account_id = %s) IS TRUE"
NAMED_ORDER_WITH_ENTRIES = f"{WITH_ENTRIES} WHERE client_order_id = %s AND account_id = %s"
ENTRIES_OF_ORDER = "SELECT * FROM fund_transaction WHERE order_id = %s AND (account_id = %s) IS TRUE ORDER BY id"
JUDGED_ORDERS = f"{ORDERS} WHERE id = ANY(%s::uuid[]) AND (account_id = %s AND status <> 'PENDING') IS TRUE"
LIVE_ORDER = f"{ORDERS} WHERE id = %s AND (account_id = %s AND status IN ('PENDING', 'OPEN')) IS TRUE"
LOCK = "FOR NO KEY UPDATE"
END_ORDERS = """
UPDATE trading_order
SET status = ended.status, rejection_reason = ended.reason, end_reason = ended.end_reason, waiting_for = NULL,
    updated_at = (SELECT statement_now())
FROM (VALUES %s) AS ended (id, account_id, status, reason, end_reason)
WHERE trading_order.id = ended.id AND (trading_order.account_id = ended.account_id) IS TRUE
"""


def find_order(account_id: UUID, order_id: UUID) -> OrderRow | None:
    """Return an account's order, or None; needs an open session."""
    return fetch_one(ORDER, (order_id, account_id), OrderRow)


def account_of_order(order_id: UUID) -> UUID:
    """Return the account of an order, which is looked for in all buckets; raises NotFound."""
    with session_of_all():
        for _ in each_in_transaction():
            row = fetch_one("SELECT account_id FROM trading_order WHERE id = %s", (order_id,))
            if row is not None:
                owner: UUID = row["account_id"]
                return owner
    raise NotFound


def find_order_with_entries(account_id: UUID, order_id: UUID) -> OrderRow | None:
    """Return an account's order with its `transactions`, both of one moment, or None; needs an open session.

    The transactions come as JSON: their ids and times are text.
    """
    return fetch_one(ORDER_WITH_ENTRIES, (order_id, account_id), OrderRow)


def find_order_by_client_id(account_id: UUID, client_order_id: str) -> OrderRow | None:
    """Return an account's order with its `transactions` as above by its clientOrderId, or None."""
    return fetch_one(NAMED_ORDER_WITH_ENTRIES, (client_order_id, account_id), OrderRow)


def find_judged_orders(account_id: UUID, order_ids: Collection[UUID]) -> dict[UUID, OrderRow]:
    """Return the orders among an account's that are final or OPEN, by id; needs an open session."""
    return {order["id"]: order for order in fetch_all(JUDGED_ORDERS, (list(order_ids), account_id), OrderRow)}


def lock_order(account_id: UUID, order_id: UUID) -> OrderRow | None:
    """Lock an account's order as soon as it is free, and return it, or None."""
    return fetch_one(f"{ORDER} {LOCK}", (order_id, account_id), OrderRow)


def lock_free_order(account_id: UUID, order_id: UUID) -> OrderRow | None:
    """Lock an account's order and return it; None if it is locked by others or does not exist."""
    return fetch_one(f"{ORDER} {LOCK} SKIP LOCKED", (order_id, account_id), OrderRow)


def lock_free_live_order(account_id: UUID, order_id: UUID) -> OrderRow | None:
    """Lock an account's PENDING or OPEN order and return it; None if it is locked by others or final."""
    return fetch_one(f"{LIVE_ORDER} {LOCK} SKIP LOCKED", (order_id, account_id), OrderRow)


def entries_of_order(account_id: UUID, order_id: UUID) -> list[LedgerRow]:
    """Return the entries of an account's order in the order of their posting."""
    return fetch_all(ENTRIES_OF_ORDER, (order_id, account_id), LedgerRow)


def end_orders(ends: Sequence[tuple[OrderRow, str, str | None]], *, end_reason: str | None = None) -> None:
    """Set final statuses without a fill, given as (order, status, rejection reason or None).

    end_reason says why CANCELLED or EXPIRED orders ended, where the status does not say it.
    """
    rows = [(order["id"], order["account_id"], status, reason, end_reason) for order, status, reason in ends]
    write_rows(END_ORDERS, rows, template="(%s, %s, %s, %s::text, %s::text)")
