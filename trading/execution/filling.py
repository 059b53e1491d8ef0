"""The fill of one order in memory: into its position, and into its account's ledger."""

from decimal import Decimal
from uuid import UUID

from models.database import fetch_all
from models.identifiers import new_id
from models.rows import OrderRow
from trading.accounts.position_rows import LockedPosition
from trading.execution.batch import Batch, Execution, Rejection
from trading.execution.claiming import key_of
from trading.execution.final_charges import final_charges
from trading.execution.position_days import is_held, keep_day
from trading.orders.cancellation import give_back
from trading.rules.fills import Fill, Holding, fill, is_covered
from trading.rules.ledger import AccountLedger
from trading.rules.money import ZERO
from trading.rules.terms import FillModel, LedgerKind, Product, RejectionReason

LAST_PRICES = "SELECT id, last_price FROM stock WHERE id = ANY(%s::uuid[])"


def last_prices(orders: list[OrderRow]) -> dict[UUID, Decimal | None]:
    """Return the last traded prices by stock, for the IMMEDIATE orders that have no price of their own."""
    stock_ids = list({o["stock_id"] for o in orders if o["price"] is None and o["fill_model"] == FillModel.IMMEDIATE})
    if not stock_ids:
        return {}
    rows = fetch_all(LAST_PRICES, (stock_ids,))
    return {row["id"]: row["last_price"] for row in rows}


def price_of(batch: Batch, order: OrderRow) -> Decimal | None:
    """Return the price at which an order executes, None if there is none."""
    judged = batch.looks.get(order["id"])
    if judged is not None:
        return judged.verdict.fill_price
    price = order["match_price"] or order["price"] or order["average_price"]
    return price or batch.last_prices.get(order["stock_id"])


def fill_one(batch: Batch, order: OrderRow) -> None:
    """Fill one order in memory, or reject it without a trace of its fill."""
    ledger = batch.ledgers[order["account_id"]]
    price = price_of(batch, order)
    if price is None:
        _reject(batch, order, RejectionReason.NO_PRICE)
        return
    position = batch.positions.get(key_of(order)) or LockedPosition(new_id(), Holding())
    result = fill(
        position.holding,
        side=order["side"],
        product=order["product"],
        quantity=order["quantity"],
        price=price,
        reserved_margin=order["blocked_margin"],
    )
    charges = final_charges(order, price)
    more_charges = ZERO if charges is None else charges.total - order["charges"]
    if order["product"] == Product.DELIVERY and not is_held(position, order):
        _reject(batch, order, RejectionReason.INSUFFICIENT_HOLDINGS)
    elif not is_covered(result, more_charges=more_charges, available_margin=ledger.available_margin):
        _reject(batch, order, RejectionReason.INSUFFICIENT_MARGIN)
    else:
        _settle(ledger, order["id"], position.id, result, more_charges)
        keep_day(position, order, price)
        position.holding, position.changed = result.holding, True
        batch.positions[key_of(order)] = position
        batch.executions.append(Execution(order, price, position.id, charges))


def _reject(batch: Batch, order: OrderRow, reason: RejectionReason) -> None:
    give_back(batch.ledgers[order["account_id"]], order)
    batch.rejections.append(Rejection(order, reason))


def _settle(ledger: AccountLedger, order_id: UUID, position_id: UUID, result: Fill, more_charges: Decimal) -> None:
    links = {"order_id": order_id, "position_id": position_id}
    profit_kind = LedgerKind.PROFIT if result.profit > 0 else LedgerKind.LOSS
    margin_kind = LedgerKind.MARGIN_BLOCK if result.margin_change > 0 else LedgerKind.MARGIN_RELEASE
    charges_kind = LedgerKind.CHARGES if more_charges > 0 else LedgerKind.CHARGES_REFUND
    ledger.post(profit_kind, abs(result.profit), **links)
    ledger.post(margin_kind, abs(result.margin_change), **links)
    ledger.post(charges_kind, abs(more_charges), **links)
