"""Change a PENDING order's quantity or price, and with them its margin and charges, in one transaction."""

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from models.database import Row, execute, fetch_one, transactional
from runtime.timing import Stopwatch
from trading.accounts.ledgers import entries_of, save_ledgers
from trading.accounts.shares import within_share
from trading.events import publishing
from trading.orders.open_orders import Attempt, Judge, lock_open_order, when_free
from trading.orders.placement import decide_on, refuse_early
from trading.orders.placement_statements import look_at_state, read_state
from trading.rules.decision import Decision, OrderRequest, check_cover
from trading.rules.errors import PriceNotTaken
from trading.rules.ledger import AccountLedger
from trading.rules.money import ZERO

UPDATE = """
UPDATE trading_order SET quantity = %(quantity)s, price = %(price)s, closing_quantity = %(closing_quantity)s,
    blocked_margin = %(margin)s, charges = %(charges)s, charge_items = %(charge_items)s,
    updated_at = clock_timestamp()
WHERE id = %(id)s
"""


@dataclass(frozen=True, slots=True)
class OrderChange:
    """What an order is to have instead; None stays as it is. The price is in rupees, and a LIMIT order's."""

    quantity: int | None = None
    price: Decimal | None = None


class Modification(NamedTuple):
    """An order's row with its `transactions`, and whether anything about it has changed."""

    order: Row
    is_changed: bool


@within_share
def modify_order(
    account_id: UUID,
    order_id: UUID,
    change: OrderChange,
    *,
    calendar: str | None,
    is_current: Judge | None = None,
) -> Row:
    """Change a PENDING order of an account and return its row with its `transactions`; no change leaves no trace.

    The order keeps its place in time. Its margin and charges are what a placement would take now, with its
    own promise and its own money taken out.

    Raises NotFound, OrderNotOpen, PreconditionFailed, PriceNotTaken, AccountSuspended, MarketClosed, NoPrice,
    InsufficientHoldings or InsufficientMargin; then nothing is left behind.
    """
    order, is_changed = when_free(lambda attempt: _modify(account_id, order_id, change, calendar, attempt, is_current))
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
    is_current: Judge | None,
) -> Modification:
    order, ledger = lock_open_order(account_id, order_id, attempt, is_current)
    request = _changed(order, change)
    if (request.quantity, request.price) == (order["quantity"], order["price"]):
        refuse_early(look_at_state(account_id, request), calendar, Stopwatch())
        return Modification(order | {"transactions": entries_of(order_id)}, is_changed=False)
    _write(ledger, order, request, _decide(order, request, calendar))
    changed = fetch_one("SELECT * FROM trading_order WHERE id = %s", (order_id,))
    assert changed is not None
    return Modification(changed | {"transactions": entries_of(order_id)}, is_changed=True)


def _changed(order: Row, change: OrderChange) -> OrderRequest:
    """Return what a client would ask for who placed the order as it is to be."""
    if order["order_type"] == "MARKET" and change.price is not None:
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


def _decide(order: Row, request: OrderRequest, calendar: str | None) -> Decision:
    """Decide as placement does, as if the order were not there."""
    state = read_state(order["account_id"], request, None)
    refuse_early(state, calendar, Stopwatch())
    state["promised"] = max(0, state["promised"] - order["closing_quantity"])  # 0 is also "nothing could be closed"
    decision = decide_on(request, state)
    # What the order has is its own even when a loss has taken more than the account had left:
    # nobody is kept from making an order smaller.
    own = order["blocked_margin"] + order["charges"]
    check_cover(request, decision, own + max(state["available_margin"], ZERO))
    return decision


def _write(ledger: AccountLedger, order: Row, request: OrderRequest, decision: Decision) -> None:
    _post(ledger, order, "MARGIN_BLOCK", "MARGIN_RELEASE", decision.margin - order["blocked_margin"])
    _post(ledger, order, "CHARGES", "CHARGES_REFUND", decision.charges.total - order["charges"])
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


def _post(ledger: AccountLedger, order: Row, more: str, less: str, difference: Decimal) -> None:
    ledger.post(more if difference > 0 else less, abs(difference), order_id=order["id"])
