"""Locks for an execution: accounts first, then orders, then positions, and only rows that no one else has locked.

Nothing here waits for a lock, so that no single account delays a batch. Orders of busy accounts stay as they are, and
are listed; see trading.execution.patience.

A claim is for one of two looks. The first look takes PENDING orders, and OPEN ones that the market has matched or
triggered. The second look (trading.execution.second_look) takes PENDING orders, and OPEN ones that were modified. A
modification clears an order's watch, so that no quote matches it before a look under its stock's bucket.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypedDict
from uuid import UUID

from models.database import array_of, fetch_all
from models.rows import OrderRow, PositionRow
from trading.accounts.ledgers import LEDGERS
from trading.accounts.position_rows import LockedPosition
from trading.rules.ledger import AccountLedger

Key = tuple[UUID, UUID, str]  # account, stock, product

MAX_MATCHED = 200  # the cost of the event triggers is quadratic in one account's orders of one statement

IS_PENDING = "(status = 'PENDING' AND due_at IS NOT NULL)"
IS_MATCHED = "(status = 'OPEN' AND matched_at IS NOT NULL)"
IS_UNWATCHED = "watch_price IS NULL AND watch_trigger IS NULL"
IS_MODIFIED = f"(status = 'OPEN' AND matched_at IS NULL AND {IS_UNWATCHED} AND due_at <= market_now())"
IS_TRIGGERED = f"(status = 'OPEN' AND matched_at IS NULL AND NOT ({IS_UNWATCHED}) AND due_at IS NOT NULL)"
# The mark of another worker is no suspicion on a matched order: whoever has the account fills it.
IS_UNSUSPECTED = f"(retry_at IS NULL OR ({IS_MATCHED} AND attempts = 0 AND retry_at > clock_timestamp()))"


class Look(NamedTuple):
    """The conditions on the orders of a look: those that it claims, and those that it lists as left."""

    claims: str
    lists: str


IS_FOR_FIRST = f"({IS_PENDING} OR {IS_MATCHED} OR {IS_TRIGGERED})"
IS_FOR_SECOND = f"({IS_PENDING} OR {IS_MODIFIED})"
FIRST = Look(IS_FOR_FIRST, f"({IS_FOR_FIRST} OR {IS_MODIFIED})")
SECOND = Look(IS_FOR_SECOND, IS_FOR_SECOND)

# "IS TRUE" leaves the planner only the primary key. With statistics from an hour that had few PENDING orders it would
# otherwise choose an index of PENDING orders and read a backlog of 50,000, or read all orders of an account.
OF_ORDERS = f"FROM trading_order WHERE id = ANY({{ids}}) AND ({{kind}}) IS TRUE AND ({IS_UNSUSPECTED} OR NOT %(fresh)s)"
WANTED = "%(ids)s::uuid[]"
# An account's matched orders are claimed together and by their matches, so that its fills follow one another.
WANTED_AND_MATCHED = f"""
{WANTED} || ARRAY(SELECT id FROM trading_order WHERE account_id = ANY(%(accounts)s::uuid[]) AND {IS_MATCHED}
    AND attempts = 0 AND (retry_at IS NULL OR retry_at > clock_timestamp())
    ORDER BY match_sequence, match_class, placed_at, id LIMIT {MAX_MATCHED})
"""
ACCOUNTS = f"{LEDGERS} WHERE id = ANY(ARRAY(SELECT account_id {OF_ORDERS})) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
ORDERS = f"""
SELECT *, market_now() AS claimed_at {OF_ORDERS} AND (account_id = ANY(%(accounts)s::uuid[])) IS TRUE
ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""
# Without a lock, which would block those who hold the account.
LEFT = f"SELECT id, account_id, stock_id, {IS_MODIFIED} AS is_modified {OF_ORDERS}"
# The first matched order of each account that is not claimed: others have locked it, or it is a suspect.
UNCLAIMED = f"""
SELECT DISTINCT ON (account_id) * FROM trading_order
WHERE account_id = ANY(%(accounts)s::uuid[]) AND {IS_MATCHED} AND id <> ALL(%(claimed)s::uuid[])
ORDER BY account_id, match_sequence, match_class, placed_at, id
"""
POSITIONS = """
SELECT position.* FROM unnest(%s::uuid[], %s::uuid[], %s::text[]) AS wanted (account_id, stock_id, product)
JOIN position USING (account_id, stock_id, product)
"""


class LeftOrder(TypedDict):
    """An order that a claim has left, and whether it waits for the second look only."""

    id: UUID
    account_id: UUID
    stock_id: UUID
    is_modified: bool


@dataclass
class Claim:
    """Locked orders in the order of their execution with their ledgers and positions.

    busy lists the ids of busy orders by account, modified the orders that are left to the second look.
    """

    orders: list[OrderRow] = field(default_factory=list)
    ledgers: dict[UUID, AccountLedger] = field(default_factory=dict)
    positions: dict[Key, LockedPosition] = field(default_factory=dict)
    busy: dict[UUID, list[UUID]] = field(default_factory=dict)
    modified: list[LeftOrder] = field(default_factory=list)


def claim(order_ids: Sequence[UUID], look: Look = FIRST, *, unsuspected_only: bool, alone: bool = False) -> Claim:
    """Lock those of these orders that a look is due for and that are free, with their accounts and positions.

    An order is busy if another transaction has locked its account or its position. An order whose own row is locked
    is neither claimed nor busy: the other transaction executes or changes it. The first look claims all matched orders
    of the locked accounts too, unless alone. A matched order is left if an earlier one of its account is not claimed.
    """
    found, parameters = Claim(), {"ids": array_of(order_ids), "fresh": unsuspected_only}
    accounts = fetch_all(ACCOUNTS.format(ids=WANTED, kind=look.claims), parameters)
    found.ledgers = {row["account_id"]: AccountLedger(**row) for row in accounts}
    if found.ledgers:
        ids = WANTED if alone or look is SECOND else WANTED_AND_MATCHED
        orders = ORDERS.format(ids=ids, kind=look.claims)
        found.orders = fetch_all(orders, {**parameters, "accounts": array_of(found.ledgers)}, OrderRow)
    left = set(order_ids).difference(order["id"] for order in found.orders)
    if left:
        _list_left(found, look, {**parameters, "ids": array_of(left)})
    if found.orders:
        found.orders.sort(key=turn_of)
        _leave_those_behind_unclaimed(found)
        _lock_positions(found)
    return found


def turn_of(order: OrderRow) -> tuple[object, ...]:
    """Return the sort key of an order in its account's batch: matched orders first, by their matches."""
    match = (1, 0, 0) if order["matched_at"] is None else (0, order["match_sequence"], order["match_class"])
    return *match, order["placed_at"], order["id"]


def _list_left(found: Claim, look: Look, parameters: dict[str, object]) -> None:
    for order in fetch_all(LEFT.format(ids=WANTED, kind=look.lists), parameters, LeftOrder):
        if look is FIRST and order["is_modified"]:
            found.modified.append(order)
        elif order["account_id"] not in found.ledgers:
            _leave(found, order["account_id"], order["id"])


def _leave(found: Claim, account_id: UUID, order_id: UUID) -> None:
    found.busy.setdefault(account_id, []).append(order_id)


def _leave_those_behind_unclaimed(found: Claim) -> None:
    """Leave the matched orders that may not be filled yet, because an earlier one of their account is not claimed."""
    matched = [order for order in found.orders if order["matched_at"] is not None]
    if not matched:
        return
    parameters = {
        "accounts": array_of({order["account_id"] for order in matched}),
        "claimed": array_of(order["id"] for order in matched),
    }
    first = {row["account_id"]: turn_of(row) for row in fetch_all(UNCLAIMED, parameters, OrderRow)}
    found.orders = [
        order
        for order in found.orders
        if order["matched_at"] is None
        or order["account_id"] not in first
        or turn_of(order) < first[order["account_id"]]
    ]


def _lock_positions(found: Claim) -> None:
    """Lock the positions of the orders; an order whose position is locked already becomes busy."""
    keys = {key_of(order) for order in found.orders}
    if not keys:
        return
    positions = fetch_all(f"{POSITIONS} FOR NO KEY UPDATE OF position SKIP LOCKED", _columns(keys), PositionRow)
    for row in positions:
        found.positions[key_of(row)] = LockedPosition.of_row(row)
    missing = keys - found.positions.keys()
    if not missing:
        return
    # A missing position that exists is locked. While its account is locked here, only an operator's session can do so.
    held = {key_of(row) for row in fetch_all(POSITIONS, _columns(missing), PositionRow)}
    for order in found.orders:
        if key_of(order) in held:
            _leave(found, order["account_id"], order["id"])
    found.orders = [order for order in found.orders if key_of(order) not in held]


def _columns(keys: Iterable[Key]) -> list[str]:
    return [array_of(column) for column in zip(*keys, strict=True)]


def key_of(row: OrderRow | PositionRow) -> Key:
    """Return the key of the position that a row describes, or of the one that an order changes."""
    return row["account_id"], row["stock_id"], row["product"]
