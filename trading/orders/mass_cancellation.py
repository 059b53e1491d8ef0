"""Cancel many orders of an account, some of them in each transaction.

A transaction locks the account and then those of its orders that are free: who holds an account waits for no order. The
busy ones are waited for while nothing is held, and are tried again.
"""

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from models.connections import LOCK_TIMEOUT_MS
from models.database import DatabaseUnavailable, array_of, fetch_all, session, transactional
from models.routing import by_account
from models.rows import OrderRow
from trading.accounts.ledgers import lock_ledgers, save_ledgers
from trading.accounts.reading import account_exists
from trading.accounts.shares import within_share
from trading.events import publishing
from trading.orders.cancellation import give_back, note_end
from trading.orders.open_orders import checked
from trading.orders.order_statements import LOCK, ORDERS, end_orders
from trading.orders.promises import wait_for_orders
from trading.orders.selection import OrderFilter
from trading.rules.errors import NotFound, Refused
from trading.rules.ledger import AccountLedger
from trading.rules.terms import EndReason, OrderStatus

MAX_CANCELLED = 5_000
# The account and its orders stay locked for one transaction: its other requests and the quotes that cross these orders
# wait about 50 ms for it.
CHUNK = 100
LIVE = (OrderStatus.PENDING.value, OrderStatus.OPEN.value)
OF_ACCOUNT = f"{ORDERS} WHERE id = ANY(%s::uuid[]) AND (account_id = %s) IS TRUE"


class Cancellations(NamedTuple):
    """The orders that were cancelled, the refusals by order, and whether more orders are selected."""

    cancelled: list[OrderRow]
    refused: dict[UUID, Refused | DatabaseUnavailable]
    has_more: bool


class Part(NamedTuple):
    """The outcome of one transaction; others have locked the busy orders."""

    cancelled: list[OrderRow]
    refused: dict[UUID, Refused]
    busy: list[UUID]


@by_account
def cancel_orders(account_id: UUID, wanted: OrderFilter) -> Cancellations:
    """Cancel the orders of an account that are live now and pass a filter, the oldest 5,000 of them.

    An order that cannot be cancelled, or that ends meanwhile, is refused with the error of its own cancellation, and so
    are the rest of the orders if the database fails. Raises NotFound, or DatabaseUnavailable if nothing was cancelled
    before.
    """
    selected = _select(account_id, wanted)
    chosen = selected[:MAX_CANCELLED]
    cancelled: list[OrderRow] = []
    refused: dict[UUID, Refused | DatabaseUnavailable] = {}
    try:
        for part in _parts(account_id, chosen):
            cancelled += part.cancelled
            refused |= part.refused
    except DatabaseUnavailable as error:
        if not cancelled:
            raise
        known = refused.keys() | {order["id"] for order in cancelled}
        refused |= {order_id: error for order_id in chosen if order_id not in known}
    return Cancellations(cancelled, refused, len(selected) > MAX_CANCELLED)


def _select(account_id: UUID, wanted: OrderFilter) -> list[UUID]:
    """Return the ids of the selected orders, oldest first, and one more than may be cancelled."""
    select, parameters = wanted.select(account_id)
    conditions = {name: value for name, value in wanted.conditions(account_id).items() if value is not None}
    conditions.setdefault("status = ANY(%s)", list(LIVE))
    sql = f"{select} WHERE {' AND '.join(conditions)} ORDER BY placed_at, id LIMIT %s"
    with session():
        rows = fetch_all(sql, [*parameters, *conditions.values(), MAX_CANCELLED + 1])
        if not rows and not account_exists(account_id):
            raise NotFound
    return [row["id"] for row in rows]


def _parts(account_id: UUID, order_ids: Sequence[UUID]) -> Iterator[Part]:
    """Yield the outcomes of all transactions: first those of all orders, then those of the busy ones."""
    busy: list[UUID] = []
    for start in range(0, len(order_ids), CHUNK):
        part = _cancel_part(account_id, order_ids[start : start + CHUNK])
        yield part
        busy += part.busy
    end = time.monotonic() + LOCK_TIMEOUT_MS / 1000
    while busy:
        if time.monotonic() >= end:
            raise DatabaseUnavailable("orders of the account stayed busy")
        _wait(account_id, busy[:CHUNK])
        part = _cancel_part(account_id, busy[:CHUNK])
        yield part
        busy = busy[CHUNK:] + part.busy


@within_share
def _wait(account_id: UUID, order_ids: Sequence[UUID]) -> None:
    wait_for_orders(account_id, order_ids)  # within the account's share: those who wait hold a connection


@within_share
def _cancel_part(account_id: UUID, order_ids: Sequence[UUID]) -> Part:
    part = _cancel(account_id, order_ids)
    if part.cancelled:
        publishing.nudge([account_id])
    return part


@transactional
def _cancel(account_id: UUID, order_ids: Sequence[UUID]) -> Part:
    """Cancel those of these orders that are free and live."""
    ledger = lock_ledgers([account_id]).get(account_id)
    if ledger is None:
        raise NotFound
    free = _read(account_id, order_ids, f"ORDER BY id {LOCK} SKIP LOCKED")
    refused, ended = dict[UUID, Refused](), list[OrderRow]()
    for order in free.values():
        try:
            ended.append(checked(order))
        except Refused as refusal:
            refused[order["id"]] = refusal
    _end(ledger, ended)
    cancelled = _read(account_id, [order["id"] for order in ended])
    busy = [order_id for order_id in order_ids if order_id not in free]
    return Part([cancelled[order["id"]] for order in ended], refused, busy)


def _read(account_id: UUID, order_ids: Sequence[UUID], lock: str = "") -> dict[UUID, OrderRow]:
    if not order_ids:
        return {}
    rows = fetch_all(f"{OF_ACCOUNT} {lock}", (array_of(order_ids), account_id), OrderRow)
    return {row["id"]: row for row in rows}


def _end(ledger: AccountLedger, orders: Sequence[OrderRow]) -> None:
    for order in orders:
        give_back(ledger, order)
        note_end(order, EndReason.CLIENT)
    save_ledgers([ledger])
    end_orders([(order, OrderStatus.CANCELLED, None) for order in orders], end_reason=EndReason.CLIENT)
