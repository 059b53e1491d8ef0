"""Claim orders for their execution: accounts first, then orders, then positions, and nothing that others hold.

Nothing here waits for a lock, so that a batch is never held up by one account. What is busy is left
and named; see trading.execution.patience.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from models.database import Row, fetch_all
from trading.accounts.ledgers import LEDGERS
from trading.rules.fills import Holding
from trading.rules.ledger import AccountLedger

Key = tuple[UUID, UUID, str]  # account, stock, product

# "IS TRUE" leaves the planner only the index of ids: with statistics from an hour that had few PENDING orders, it would
# walk through a backlog of 50,000 along one of theirs, or through all orders of an account.
OF_ORDERS = """
FROM trading_order WHERE id = ANY(%(ids)s::uuid[]) AND (status = 'PENDING') IS TRUE
    AND (retry_at IS NULL OR NOT %(fresh)s)
"""
ACCOUNTS = f"{LEDGERS} WHERE id = ANY(ARRAY(SELECT account_id {OF_ORDERS})) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
ORDERS = f"""
SELECT * {OF_ORDERS} AND (account_id = ANY(%(accounts)s::uuid[])) IS TRUE
ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""
# Without a lock: it would be in the way of those who have the account.
LEFT = f"SELECT id, account_id {OF_ORDERS}"
POSITIONS = """
SELECT position.* FROM unnest(%s::uuid[], %s::uuid[], %s::text[]) AS wanted (account_id, stock_id, product)
JOIN position USING (account_id, stock_id, product)
"""


@dataclass
class LockedPosition:
    """A position while its account is locked."""

    id: UUID
    holding: Holding
    is_new: bool
    changed: bool = False


@dataclass
class Claim:
    """Orders in (placed_at, id) order with what their execution needs, all locked; and what was left, by account."""

    orders: list[Row] = field(default_factory=list)
    ledgers: dict[UUID, AccountLedger] = field(default_factory=dict)
    positions: dict[Key, LockedPosition] = field(default_factory=dict)
    busy: dict[UUID, list[UUID]] = field(default_factory=dict)


def claim(order_ids: Sequence[UUID], *, unsuspected_only: bool) -> Claim:
    """Lock what can be locked at once of PENDING orders, with their accounts and positions.

    An order whose account or position is busy is left; one whose own row is, is in somebody else's hands.
    """
    found, parameters = Claim(), {"ids": _array(order_ids), "fresh": unsuspected_only}
    found.ledgers = {row["account_id"]: AccountLedger(**row) for row in fetch_all(ACCOUNTS, parameters)}
    if found.ledgers:
        found.orders = fetch_all(ORDERS, {**parameters, "accounts": _array(found.ledgers)})
    if len(found.orders) < len(order_ids):
        left = set(order_ids).difference(order["id"] for order in found.orders)
        pending = fetch_all(LEFT, {**parameters, "ids": _array(left)})
        _leave(found, (order for order in pending if order["account_id"] not in found.ledgers))
    if found.orders:
        found.orders.sort(key=lambda order: (order["placed_at"], order["id"]))
        _lock_positions(found)
    return found


def _leave(found: Claim, orders: Iterable[Row]) -> None:
    for order in orders:
        found.busy.setdefault(order["account_id"], []).append(order["id"])


def _lock_positions(found: Claim) -> None:
    """Lock the positions of the orders, and leave the orders of those that somebody holds."""
    keys = {key_of(order) for order in found.orders}
    for row in fetch_all(f"{POSITIONS} FOR NO KEY UPDATE OF position SKIP LOCKED", _columns(keys)):
        holding = Holding(row["quantity"], row["cost"], row["blocked_margin"], row["realized_pnl"])
        found.positions[key_of(row)] = LockedPosition(row["id"], holding, is_new=False)
    missing = keys - found.positions.keys()
    if not missing:
        return
    # Those of them that exist are held: under its account's lock a position only ever is by an operator's session.
    held = {key_of(row) for row in fetch_all(POSITIONS, _columns(missing))}
    _leave(found, (order for order in found.orders if key_of(order) in held))
    found.orders = [order for order in found.orders if key_of(order) not in held]


def _columns(keys: Iterable[Key]) -> list[str]:
    return [_array(column) for column in zip(*keys, strict=True)]


def _array(values: Iterable[UUID | str]) -> str:
    """Write ids or words as one array: a list of 500 parameters takes longer to write and to read."""
    return f"{{{','.join(map(str, values))}}}"


def key_of(row: Row) -> Key:
    """Return what names the position of an order, or of itself."""
    return row["account_id"], row["stock_id"], row["product"]
