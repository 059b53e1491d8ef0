"""Change a PENDING order's quantity or price, and with them its margin and charges, in one transaction."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from models.database import execute, transactional
from models.rows import OrderRow
from trading.accounts.ledgers import save_ledgers
from trading.accounts.shares import within_share
from trading.events import publishing
from trading.orders.open_orders import Attempt, lock_open_order, when_free
from trading.orders.order_statements import find_order_with_entries
from trading.orders.placement_in_steps import decide_on, refuse_early
from trading.orders.placement_statements import look_at_state, read_state
from trading.orders.placement_types import PlacementContext
from trading.rules.decision import Decision, OrderRequest, check_cover
from trading.rules.errors import PriceNotTaken
from trading.rules.ledger import AccountLedger
from trading.rules.money import ZERO
from trading.rules.terms import LedgerKind, OrderType

UPDATE = """
UPDATE trading_order SET quantity = %(quantity)s, price = %(price)s, closing_quantity = %(closing_quantity)s,
    blocked_margin = %(margin)s, charges = %(charges)s, charge_items = %(charge_items)s,
    updated_at = clock_timestamp()
WHERE id = %(id)s
"""


@dataclass(frozen=True, slots=True)
class OrderChange:
    """The new quantity and price (rupees) of an order; None keeps the old one. Only a LIMIT order takes a price."""

    quantity: int | None = None
    price: Decimal | None = None


class Modification(NamedTuple):
    """An order's row with its `transactions`, and whether it was changed."""

    order: OrderRow
    is_changed: bool


@within_share
def modify_order(
    account_id: UUID,
    order_id: UUID,
    change: OrderChange,
    *,
    calendar: str | None,
    expected_versions: Collection[int] | None = None,
) -> OrderRow:
    """Change a PENDING order of an account and return its row with its `transactions`.

    The order keeps its time of placement. Its margin and charges become those of a placement at this moment, without
    the promise and the money of the order itself. The same quantity and price change nothing and write nothing.

    Raises NotFound, OrderNotOpen, PreconditionFailed, PriceNotTaken, AccountSuspended, MarketClosed, NoPrice,
    InsufficientHoldings or InsufficientMargin; then nothing has changed.
    """
    order, is_changed = when_free(
        lambda attempt: _modify(account_id, order_id, change, calendar, attempt, expected_versions)
    )
    if is_changed:
        publishing.nudge([account_id])
    return order


@transactional
def _modify(
    account_id: UUID,
    order_id: UUID,
    change: OrderChange,
    calendar: str | None,
    attempt: Attempt,
    expected_versions: Collection[int] | None,
) -> Modification:
    order, ledger = lock_open_order(account_id, order_id, attempt, expected_versions)
    context = PlacementContext(account_id, _changed(order, change), calendar)
    is_changed = (context.request.quantity, context.request.price) != (order["quantity"], order["price"])
    if is_changed:
        _write(ledger, order, context.request, _decide(order, context))
    else:
        refuse_early(look_at_state(context), calendar)
    answered = find_order_with_entries(account_id, order_id)
    assert answered is not None
    return Modification(answered, is_changed)


def _changed(order: OrderRow, change: OrderChange) -> OrderRequest:
    """Return the OrderRequest that describes the order after the change; raises PriceNotTaken."""
    if order["order_type"] == OrderType.MARKET and change.price is not None:
        raise PriceNotTaken
    return OrderRequest(
        exchange=order["exchange"],
        symbol=order["symbol"],
        side=order["side"],
        quantity=order["quantity"] if change.quantity is None else change.quantity,
        order_type=order["order_type"],
        price=order["price"] if change.price is None else change.price,
        product=order["product"],
    )


def _decide(order: OrderRow, context: PlacementContext) -> Decision:
    """Decide as a placement does, without the promise and the money of the order as it is now."""
    state = read_state(context)
    refuse_early(state, context.calendar)
    # promised is 0 when nothing could be closed, too: then the order's own promise is not part of it.
    others_promised = max(0, state.promised - order["closing_quantity"])
    decision = decide_on(context.request, replace(state, promised=others_promised))
    # The order keeps its own money even when a loss has taken more than the account had left, so that
    # an order can always be made smaller.
    own = order["blocked_margin"] + order["charges"]
    check_cover(context.request, decision, own + max(state.available_margin, ZERO))
    return decision


def _write(ledger: AccountLedger, order: OrderRow, request: OrderRequest, decision: Decision) -> None:
    more_margin = decision.margin - order["blocked_margin"]
    more_charges = decision.charges.total - order["charges"]
    _post(ledger, order, LedgerKind.MARGIN_BLOCK if more_margin > 0 else LedgerKind.MARGIN_RELEASE, more_margin)
    _post(ledger, order, LedgerKind.CHARGES if more_charges > 0 else LedgerKind.CHARGES_REFUND, more_charges)
    save_ledgers([ledger])
    changed = {
        "id": order["id"],
        "quantity": request.quantity,
        "price": request.price,
        "closing_quantity": decision.closing_quantity,
        "margin": decision.margin,
        "charges": decision.charges.total,
        "charge_items": decision.charges.as_json(),
    }
    execute(UPDATE, changed)


def _post(ledger: AccountLedger, order: OrderRow, kind: LedgerKind, difference: Decimal) -> None:
    ledger.post(kind, abs(difference), order_id=order["id"])
