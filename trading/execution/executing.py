"""Execution of orders in batches: one transaction fills them into positions and settles margin and profit.

A second execution of an order does nothing: an order is claimed under its row lock, and only while it is PENDING.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

from models.database import execute, fetch_all, fetch_one, transactional
from models.identifiers import new_id
from models.rows import OrderRow
from runtime import metrics, tracing
from runtime.logs import get_logger
from runtime.timing import Stopwatch
from trading.events import publishing
from trading.execution.batch import Batch, Execution, Rejection, write_batch
from trading.execution.claiming import LockedPosition, claim, key_of
from trading.execution.final_charges import final_charges
from trading.execution.recent import RecentIds
from trading.orders.cancellation import give_back
from trading.rules.fills import Fill, Holding, fill, is_covered
from trading.rules.ledger import AccountLedger
from trading.rules.money import ZERO
from trading.rules.terms import LedgerKind, Product

WAIT_LOCK_KEY = 0x77616974  # "wait" in ASCII

TRY_TO_WAIT = "SELECT pg_try_advisory_xact_lock(%s) AS may_wait, set_config('lock_timeout', %s, true)"
LOCK_ACCOUNT = "SELECT FROM account WHERE id = %s FOR NO KEY UPDATE"
LAST_PRICES = "SELECT id, last_price FROM stock WHERE id = ANY(%s::uuid[])"

logger = get_logger(__name__)
# Orders that this process has executed or rejected, and whose commit succeeded.
final_orders = RecentIds(100_000)


class Outcome(NamedTuple):
    """The numbers of orders of a batch that were executed, rejected, or skipped.

    Skipped orders are not PENDING or not free. busy lists, by account, the skipped orders whose account or position
    another transaction has locked.
    """

    executed: int
    rejected: int
    skipped: int
    busy: Mapping[UUID, list[UUID]] = MappingProxyType({})


class AnotherWaits(Exception):
    """Another worker of the fleet already waits for an account."""


def execute_orders(
    order_ids: Iterable[UUID], *, unsuspected_only: bool = False, await_account: UUID | None = None, wait_ms: int = 0
) -> Outcome:
    """Execute those of these orders that are PENDING and free, as one batch.

    With unsuspected_only, orders that a sweep has tried before are left to sweeping, which counts the attempts (see
    trading.execution.sweeping). With await_account, to which all the orders must belong, wait for its lock up to
    wait_ms (1 or more); raises AnotherWaits, or DatabaseUnavailable if the account stays busy.
    """
    wanted = list(dict.fromkeys(order_ids))
    if not wanted:
        return Outcome(0, 0, 0)
    final_orders.discard(wanted)  # the database decides now
    watch = Stopwatch()
    with tracing.batch(wanted) as ends:
        batch = _execute(wanted, unsuspected_only, watch, await_account, wait_ms)
        watch.lap("commit")
        ends |= {end.order["id"]: "fill" for end in batch.executions}
        ends |= {end.order["id"]: "reject" for end in batch.rejections}
    final_orders.add(order["id"] for order in batch.orders)
    publishing.nudge({order["account_id"] for order in batch.orders})
    metrics.count_batch(batch.executions, batch.rejections, watch.steps)
    _log(batch, watch)
    executed, rejected = len(batch.executions), len(batch.rejections)
    return Outcome(executed, rejected, len(wanted) - executed - rejected, batch.busy)


def is_known_final(order_id: UUID) -> bool:
    """Return True if this process has executed or rejected the order, so that its later messages need no database.

    Only the handling of a message may use this. An order that the database reports as PENDING is executed in any
    case: a failover or a restored backup may have undone its execution.
    """
    return order_id in final_orders


@transactional
def _execute(
    order_ids: list[UUID], unsuspected_only: bool, watch: Stopwatch, await_account: UUID | None, wait_ms: int
) -> Batch:
    watch.mark()
    if await_account is not None:
        _wait_for(await_account, wait_ms)
    found = claim(order_ids, unsuspected_only=unsuspected_only)
    batch = Batch(found.orders, found.ledgers, found.positions, _last_prices(found.orders), found.busy)
    watch.lap("claim")
    for order in batch.orders:
        _execute_one(batch, order)
    watch.lap("fill")
    write_batch(batch)
    watch.lap("write")
    return batch


def _wait_for(account_id: UUID, wait_ms: int) -> None:
    """Lock an account as soon as it is free, while no other lock is held."""
    row = fetch_one(TRY_TO_WAIT, (WAIT_LOCK_KEY, f"{wait_ms}ms"))
    if row is None or not row["may_wait"]:
        raise AnotherWaits
    execute(LOCK_ACCOUNT, (account_id,))


def _last_prices(orders: list[OrderRow]) -> dict[UUID, Decimal | None]:
    """Return the last traded prices by stock, for the orders that have no price of their own."""
    stock_ids = list({order["stock_id"] for order in orders if order["price"] is None})
    if not stock_ids:
        return {}
    rows = fetch_all(LAST_PRICES, (stock_ids,))
    return {row["id"]: row["last_price"] for row in rows}


def _log(batch: Batch, watch: Stopwatch) -> None:
    """Log one line per order; its timings (ms) are those of the batch."""
    steps = {f"{name}_ms": round(length, 2) for name, length in watch.steps.items()}
    facts = {"batch": len(batch.orders), **steps}
    for end in batch.executions:
        logger.info("order_executed", **_names(end.order), price=str(end.price), **facts)
    for order, reason in batch.rejections:
        logger.info("order_rejected", **_names(order), reason=reason, **facts)


def _names(order: OrderRow) -> dict[str, str]:
    return {"order_id": str(order["id"]), "account_id": str(order["account_id"])}


def price_of(batch: Batch, order: OrderRow) -> Decimal | None:
    """Return the price at which an order executes, None if there is none."""
    price = order["match_price"] or order["price"] or order["average_price"]
    return price or batch.last_prices.get(order["stock_id"])


def _execute_one(batch: Batch, order: OrderRow) -> None:
    """Fill one order in memory, or reject it without a trace of its fill."""
    ledger = batch.ledgers[order["account_id"]]
    price = price_of(batch, order)
    if price is None:
        _reject(batch, order, "no_price")
        return
    position = batch.positions.get(key_of(order)) or LockedPosition(new_id(), Holding(), is_new=True)
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
    if order["product"] == Product.DELIVERY and result.holding.quantity < 0:
        _reject(batch, order, "insufficient_holdings")
    elif not is_covered(result, more_charges=more_charges, available_margin=ledger.available_margin):
        _reject(batch, order, "insufficient_margin")
    else:
        _settle(ledger, order["id"], position.id, result, more_charges)
        position.holding, position.changed = result.holding, True
        batch.positions[key_of(order)] = position
        batch.executions.append(Execution(order, price, position.id, charges))


def _reject(batch: Batch, order: OrderRow, reason: str) -> None:
    give_back(batch.ledgers[order["account_id"]], order)
    batch.rejections.append(Rejection(order, reason))


def _settle(ledger: AccountLedger, order_id: UUID, position_id: UUID, result: Fill, more_charges: Decimal) -> None:
    links = {"order_id": order_id, "position_id": position_id}
    profit_kind = LedgerKind.PROFIT if result.profit > 0 else LedgerKind.LOSS
    margin_kind = LedgerKind.MARGIN_BLOCK if result.margin_change > 0 else LedgerKind.MARGIN_RELEASE
    ledger.post(profit_kind, abs(result.profit), **links)
    charges_kind = LedgerKind.CHARGES if more_charges > 0 else LedgerKind.CHARGES_REFUND
    ledger.post(margin_kind, abs(result.margin_change), **links)
    ledger.post(charges_kind, abs(more_charges), **links)
