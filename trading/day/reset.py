"""Reset an account: end its live orders, write its positions off, and set its balance; its tokens stay."""

import time
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from models.connections import LOCK_TIMEOUT_MS
from models.database import DatabaseUnavailable, fetch_all, transactional
from models.rows import AccountRow, OrderRow, PositionRow
from trading.accounts.ledgers import lock_ledgers, save_ledgers
from trading.accounts.position_rows import LockedPosition, update_positions
from trading.accounts.reading import find_account
from trading.accounts.shares import within_share
from trading.day.changes import note_write_offs
from trading.events import publishing
from trading.execution.executing import execute_orders
from trading.orders.cancellation import give_back, note_end
from trading.orders.order_statements import end_orders
from trading.orders.promises import wait_for_orders
from trading.rules.day_figures import DayFigures
from trading.rules.errors import NotFound
from trading.rules.fills import Holding
from trading.rules.ledger import AccountLedger
from trading.rules.sessions import indian_day
from trading.rules.settlement import Buckets
from trading.rules.terms import EndReason, LedgerKind, OrderStatus, Product

LIVE = "SELECT * FROM trading_order WHERE account_id = %s AND status IN ('PENDING', 'OPEN') ORDER BY id"
HELD = """
SELECT *, market_now() AS read_at FROM position WHERE account_id = %s AND quantity <> 0 ORDER BY id FOR NO KEY UPDATE
"""


class ReadPosition(PositionRow):
    """A position's row with the time at which it was read."""

    read_at: datetime


class LiveOrdersStay(Exception):
    """Other transactions have locked some live orders, or the market has traded some."""

    def __init__(self, busy: Sequence[UUID], matched: Sequence[UUID]) -> None:
        super().__init__(busy, matched)
        self.busy = busy
        self.matched = matched


@within_share
def reset_account(account_id: UUID, balance: Decimal) -> AccountRow:
    """Reset an account to a balance of 0 rupees or more, and return its row.

    What the market has traded fills first. Raises NotFound, or DatabaseUnavailable if orders stay busy for 3 s.
    """
    end = time.monotonic() + LOCK_TIMEOUT_MS / 1000
    while True:
        try:
            account = _reset(account_id, balance)
        except LiveOrdersStay as orders:
            if time.monotonic() >= end:
                raise DatabaseUnavailable("orders of the account stayed busy") from None
            # Who holds an account waits for no order, so the wait holds nothing else.
            execute_orders(orders.matched)
            wait_for_orders(account_id, orders.busy)
        else:
            publishing.nudge([account_id])
            return account


@transactional
def _reset(account_id: UUID, balance: Decimal) -> AccountRow:
    ledger = lock_ledgers([account_id]).get(account_id)
    if ledger is None:
        raise NotFound
    _end_orders(ledger)
    _write_off_positions(ledger)
    change = balance - ledger.balance
    ledger.post(LedgerKind.ADJUST_CREDIT if change > 0 else LedgerKind.ADJUST_DEBIT, abs(change))
    save_ledgers([ledger])
    account = find_account(account_id)
    assert account is not None
    return account


def _end_orders(ledger: AccountLedger) -> None:
    """Cancel all live orders; raises LiveOrdersStay."""
    orders = fetch_all(f"{LIVE} FOR NO KEY UPDATE SKIP LOCKED", (ledger.account_id,), OrderRow)
    locked = {order["id"] for order in orders}
    busy = [order["id"] for order in fetch_all(LIVE, (ledger.account_id,), OrderRow) if order["id"] not in locked]
    matched = [order["id"] for order in orders if order["matched_at"] is not None]
    if busy or matched:
        raise LiveOrdersStay(busy, matched)
    for order in orders:
        give_back(ledger, order)
        note_end(order, EndReason.RESET)
    end_orders([(order, OrderStatus.CANCELLED, None) for order in orders], end_reason=EndReason.RESET)


def _write_off_positions(ledger: AccountLedger) -> None:
    """Make all positions flat, with no profit or loss, and release their margin."""
    rows = fetch_all(HELD, (ledger.account_id,), ReadPosition)
    note_write_offs([(ledger.account_id, row["id"], row["quantity"], row["cost"]) for row in rows])
    for product in Product:
        update_positions([(ledger.account_id, _flat(row)) for row in rows if row["product"] == product], product)
    for row in rows:
        ledger.post(LedgerKind.MARGIN_RELEASE, row["blocked_margin"], position_id=row["id"])


def _flat(row: ReadPosition) -> LockedPosition:
    day = indian_day(row["read_at"])
    return LockedPosition(
        row["id"],
        Holding(realized_pnl=row["realized_pnl"]),
        row,
        DayFigures(day),
        Buckets(day) if row["product"] == Product.DELIVERY else None,
    )
