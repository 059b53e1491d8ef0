"""A batch of orders: its locked rows and results, and the statements that write the results set-wise."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from models.database import later, send_waiting
from models.rows import OrderRow
from trading.accounts.ledgers import save_ledgers, write_rows
from trading.accounts.position_rows import LockedPosition, insert_positions, update_positions
from trading.execution.claiming import Key, LeftOrder, key_of
from trading.execution.looks import Judged
from trading.execution.marks import End, Opening, open_orders, tell, write_ends, write_marks
from trading.orders.order_statements import end_orders
from trading.rules.charges import Charges
from trading.rules.ledger import AccountLedger
from trading.rules.terms import OrderStatus, Product

# One time for all orders of a statement: in which order it writes its rows is the planner's choice.
EXECUTE_ORDERS = """
UPDATE trading_order
SET status = 'EXECUTED', filled_quantity = quantity, average_price = done.price, position_id = done.position_id,
    charges = coalesce(done.charges, trading_order.charges),
    charge_items = coalesce(done.charge_items, trading_order.charge_items),
    waiting_for = NULL, executed_at = (SELECT statement_now()), updated_at = (SELECT statement_now())
FROM (VALUES %s) AS done (id, account_id, price, position_id, charges, charge_items)
WHERE trading_order.id = done.id AND (trading_order.account_id = done.account_id) IS TRUE
"""
EXECUTED_ROW = "(%s, %s, %s, %s, %s::numeric, %s::jsonb)"
# The entries of the placement get the position that the execution has found or opened.
LINK_ENTRIES = """
UPDATE fund_transaction SET position_id = filled.position_id FROM trading_order AS filled
WHERE filled.id = fund_transaction.order_id AND (filled.account_id = fund_transaction.account_id) IS TRUE
    AND fund_transaction.position_id IS NULL AND filled.id = ANY(%s::uuid[])
"""


class Rejection(NamedTuple):
    """An order that cannot be executed, with the reason as a code of the error table."""

    order: OrderRow
    reason: str


class Execution(NamedTuple):
    """An executed order with its price, its position, and its final charges if they are not the debited ones."""

    order: OrderRow
    price: Decimal
    position_id: UUID
    charges: Charges | None

    @property
    def row(self) -> tuple[Any, ...]:
        """Return the values that the order gets."""
        final = (None, None) if self.charges is None else (self.charges.total, self.charges.as_json())
        return self.order["id"], self.order["account_id"], self.price, self.position_id, *final


@dataclass
class Batch:
    """The locked rows, the prices and the judgements for a batch of orders, and its results.

    resting and modified orders are left to the second look. Told orders rest on, and their triggers are told.
    """

    orders: list[OrderRow]
    ledgers: dict[UUID, AccountLedger]
    positions: dict[Key, LockedPosition]
    last_prices: dict[UUID, Decimal | None]
    busy: dict[UUID, list[UUID]]
    modified: list[LeftOrder] = field(default_factory=list)
    looks: dict[UUID, Judged] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    resting: list[OrderRow] = field(default_factory=list)
    told: list[OrderRow] = field(default_factory=list)
    openings: list[Opening] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)

    @property
    def final(self) -> list[OrderRow]:
        """Return the orders that the batch has ended."""
        orders = [execution.order for execution in self.executions]
        return [*orders, *(rejection.order for rejection in self.rejections), *(end.order for end in self.ends)]

    @property
    def handled(self) -> list[OrderRow]:
        """Return the orders that the batch has ended, opened or told."""
        return [*self.final, *self.told, *(opening.order for opening in self.openings)]


def write_batch(batch: Batch) -> None:
    """Write the results of a batch in one round trip; positions come first: ledger entries and orders refer to them."""
    tell(batch.told)
    write_marks(batch.handled, batch.looks, {done.order["id"] for done in batch.executions})
    _write_positions(batch)
    save_ledgers(batch.ledgers.values())
    write_rows(EXECUTE_ORDERS, [done.row for done in batch.executions], EXECUTED_ROW)
    if batch.executions:
        later(LINK_ENTRIES, ([done.order["id"] for done in batch.executions],))
    end_orders([(order, OrderStatus.REJECTED, reason) for order, reason in batch.rejections])
    open_orders(batch.openings)
    write_ends(batch.ends)
    send_waiting()


def _write_positions(batch: Batch) -> None:
    orders = {key_of(execution.order): execution.order for execution in batch.executions}
    changed = [(key, position) for key, position in batch.positions.items() if position.changed]
    for product in Product:
        of_product = [(key, position) for key, position in changed if key[2] == product]
        opened = [
            (position.id, *key, orders[key]["exchange"], orders[key]["symbol"], *position.values)
            for key, position in of_product
            if position.row is None
        ]
        insert_positions(opened, product)
        update_positions([(key[0], position) for key, position in of_product if position.row is not None], product)
