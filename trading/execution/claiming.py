"""Locks for an execution: accounts first, then orders, then positions, and only rows that no one else has locked.

Nothing here waits for a lock, so that no single account delays a batch. Orders of busy accounts stay PENDING and are
listed; see trading.execution.patience.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypedDict
from uuid import UUID

from models.database import fetch_all
from models.rows import OrderRow, PositionRow
from trading.accounts.ledgers import LEDGERS
from trading.rules.fills import Holding
from trading.rules.ledger import AccountLedger

Key = tuple[UUID, UUID, str]  # account, stock, product

# "IS TRUE" leaves the planner only the primary key. With statistics from an hour that had few PENDING orders it would
# otherwise choose an index of PENDING orders and read a backlog of 50,000, or read all orders of an account.
OF_ORDERS = """
FROM trading_order WHERE id = ANY(%(ids)s::uuid[]) AND (status = 'PENDING') IS TRUE
    AND (retry_at IS NULL OR NOT %(fresh)s)
"""
ACCOUNTS = f"{LEDGERS} WHERE id = ANY(ARRAY(SELECT account_id {OF_ORDERS})) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
ORDERS = f"""
SELECT *, market_now() AS claimed_at {OF_ORDERS} AND (account_id = ANY(%(accounts)s::uuid[])) IS TRUE
ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""
# Without a lock, which would block those who hold the account.
LEFT = f"SELECT id, account_id {OF_ORDERS}"
POSITIONS = """
SELECT position.* FROM unnest(%s::uuid[], %s::uuid[], %s::text[]) AS wanted (account_id, stock_id, product)
JOIN position USING (account_id, stock_id, product)
"""


class OrderAndAccount(TypedDict):
    """An order's id and its account, as every OrderRow has them."""

    id: UUID
    account_id: UUID


@dataclass
class LockedPosition:
    """A position while its account is locked."""

    id: UUID
    holding: Holding
    is_new: bool
    changed: bool = False


@dataclass
class Claim:
    """Locked orders by (placed_at, id) with their ledgers and positions, and the ids of busy orders by account."""

    orders: list[OrderRow] = field(default_factory=list)
    ledgers: dict[UUID, AccountLedger] = field(default_factory=dict)
    positions: dict[Key, LockedPosition] = field(default_factory=dict)
    busy: dict[UUID, list[UUID]] = field(default_factory=dict)


def claim(order_ids: Sequence[UUID], *, unsuspected_only: bool) -> Claim:
    """Lock those of these orders that are PENDING and free, with their accounts and positions.

    An order is busy if another transaction has locked its account or its position. An order whose own row is locked
    is neither claimed nor busy: the other transaction executes or changes it.
    """
    found, parameters = Claim(), {"ids": _array(order_ids), "fresh": unsuspected_only}
    found.ledgers = {row["account_id"]: AccountLedger(**row) for row in fetch_all(ACCOUNTS, parameters)}
    if found.ledgers:
        found.orders = fetch_all(ORDERS, {**parameters, "accounts": _array(found.ledgers)}, OrderRow)
    if len(found.orders) < len(order_ids):
        left = set(order_ids).difference(order["id"] for order in found.orders)
        pending = fetch_all(LEFT, {**parameters, "ids": _array(left)}, OrderAndAccount)
        _leave(found, (order for order in pending if order["account_id"] not in found.ledgers))
    if found.orders:
        found.orders.sort(key=lambda order: (order["placed_at"], order["id"]))
        _lock_positions(found)
    return found


def _leave(found: Claim, orders: Iterable[OrderAndAccount]) -> None:
    for order in orders:
        found.busy.setdefault(order["account_id"], []).append(order["id"])


def _lock_positions(found: Claim) -> None:
    """Lock the positions of the orders; an order whose position is locked already becomes busy."""
    keys = {key_of(order) for order in found.orders}
    positions = fetch_all(f"{POSITIONS} FOR NO KEY UPDATE OF position SKIP LOCKED", _columns(keys), PositionRow)
    for row in positions:
        holding = Holding(row["quantity"], row["cost"], row["blocked_margin"], row["realized_pnl"])
        found.positions[key_of(row)] = LockedPosition(row["id"], holding, is_new=False)
    missing = keys - found.positions.keys()
    if not missing:
        return
    # A missing position that exists is locked. While its account is locked here, only an operator's session can do so.
    held = {key_of(row) for row in fetch_all(POSITIONS, _columns(missing), PositionRow)}
    _leave(found, (order for order in found.orders if key_of(order) in held))
    found.orders = [order for order in found.orders if key_of(order) not in held]


def _columns(keys: Iterable[Key]) -> list[str]:
    return [_array(column) for column in zip(*keys, strict=True)]


def _array(values: Iterable[UUID | str]) -> str:
    """Return ids or words as one array literal: a list of 500 parameters takes longer to write and to read."""
    return f"{{{','.join(map(str, values))}}}"


def key_of(row: OrderRow | PositionRow) -> Key:
    """Return the key of the position that a row describes, or of the one that an order changes."""
    return row["account_id"], row["stock_id"], row["product"]
