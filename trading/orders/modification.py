"""Change a live order's terms, and with them its margin and charges, in one transaction."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from models.database import execute, transactional
from models.rows import OrderRow
from runtime.logs import get_logger
from runtime.order_log import log_order_at_commit
from trading.accounts.ledgers import save_ledgers
from trading.accounts.shares import within_share
from trading.events import publishing
from trading.orders.open_orders import Attempt, lock_open_order, when_free
from trading.orders.order_statements import find_order_with_entries
from trading.orders.placement_in_steps import decide_on, refuse_by_stock, refuse_early
from trading.orders.placement_statements import look_at_state, read_state
from trading.orders.placement_types import DEFAULT_FILLS, FillSettings, PlacementContext, PlacementState
from trading.rules.changes import changed_request
from trading.rules.decision import Decision, OrderRequest, check_cover
from trading.rules.ledger import AccountLedger
from trading.rules.money import ZERO
from trading.rules.terms import LedgerKind, WaitingFor

logger = get_logger(__name__)

# The terms that a change may set.
TERMS = ("order_type", "quantity", "price", "trigger_price")
# The columns of an order that are terms of its request.
KEPT = (*TERMS, "exchange", "symbol", "side", "product", "validity", "validity_minutes", "market_protection")
# A changed order is judged anew: it watches no price until its second look, for which a worker is due now. The quotes
# that come in between do not count for it. A PENDING order's first look comes as before, after its session's opening.
UPDATE = """
UPDATE trading_order SET order_type = %(order_type)s, quantity = %(quantity)s, price = %(price)s,
    trigger_price = %(trigger_price)s, market_protection = %(market_protection)s, protection_price = NULL,
    closing_quantity = %(closing_quantity)s, blocked_margin = %(margin)s, charges = %(charges)s,
    charge_items = %(charge_items)s, watch_price = NULL, watch_trigger = NULL, opened_number = NULL,
    waiting_for = CASE WHEN status = 'PENDING' THEN waiting_for END,
    due_at = CASE WHEN status = 'OPEN' THEN (SELECT statement_now()) ELSE due_at END,
    modifications = modifications + 1, modified_at = (SELECT statement_now()),
    updated_at = (SELECT statement_now())
WHERE id = %(id)s AND (account_id = %(account_id)s) IS TRUE
"""


@dataclass(frozen=True, slots=True)
class OrderChange:
    """The new terms of an order, prices in rupees; None keeps the old one."""

    quantity: int | None = None
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    order_type: str | None = None
    market_protection: Decimal | None = None


class Asked(NamedTuple):
    """A modification that is asked for, as modify_order takes it."""

    account_id: UUID
    order_id: UUID
    change: OrderChange
    calendar: str | None
    fills: FillSettings
    expected_versions: Collection[int] | None


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
    fills: FillSettings = DEFAULT_FILLS,
    expected_versions: Collection[int] | None = None,
) -> OrderRow:
    """Change a live order of an account and return its row with its `transactions`.

    The order keeps its time of placement and its fill model. Its margin and charges become those of a placement at this
    moment, without the promise and the money of the order itself. An OPEN order stays OPEN; a worker is due for its
    next look. The same terms change nothing and write nothing.

    Raises NotFound, OrderNotOpen, PreconditionFailed, an error of rules.changes.changed_request, or an error of
    place_order; then nothing has changed.
    """
    given = Asked(account_id, order_id, change, calendar, fills, expected_versions)
    order, is_changed = when_free(lambda attempt: _modify(given, attempt))
    if is_changed:
        publishing.nudge([account_id])
    return order


@transactional
def _modify(given: Asked, attempt: Attempt) -> Modification:
    account_id, order_id = given.account_id, given.order_id
    order, ledger = lock_open_order(account_id, order_id, attempt, given.expected_versions)
    context = PlacementContext(account_id, _changed(order, given.change), given.calendar, fills=given.fills)
    is_changed = _terms(context.request) != tuple(order[name] for name in TERMS)  # type: ignore[literal-required]
    if is_changed:
        _write(ledger, order, context.request, _decide(order, context))
    else:
        refuse_early(context, _as_placed(order, look_at_state(context)))
    answered = find_order_with_entries(account_id, order_id)
    assert answered is not None
    if is_changed:
        log_order_at_commit(logger, "order_modified", answered)
    return Modification(answered, is_changed)


def _changed(order: OrderRow, change: OrderChange) -> OrderRequest:
    """Return the OrderRequest that describes the order after the change; once released it waits no more."""
    kept = {name: order[name] for name in KEPT}  # type: ignore[literal-required]
    request = OrderRequest(**kept, after_market=order["waiting_for"] == WaitingFor.SESSION)
    return changed_request(request, is_triggered=order["triggered_at"] is not None, **asdict(change))


def _terms(request: OrderRequest) -> tuple[Any, ...]:
    return tuple(getattr(request, name) for name in TERMS)


def _as_placed(order: OrderRow, state: PlacementState) -> PlacementState:
    """Return the facts with the fill model of the order: that of the account may have changed since."""
    return replace(state, fill_model=order["fill_model"])


def _decide(order: OrderRow, context: PlacementContext) -> Decision:
    """Decide as a placement does, without the promise and the money of the order as it is now."""
    state = _as_placed(order, read_state(context))
    session = refuse_early(context, state)
    # promised is 0 when nothing could be closed, too: then the order's own promise is not part of it.
    others_promised = max(0, state.promised - order["closing_quantity"])
    state = replace(state, promised=others_promised)
    refuse_by_stock(context.request, state, session, is_triggered=order["triggered_at"] is not None)
    decision = decide_on(context.request, state)
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
        "account_id": order["account_id"],
        "order_type": request.order_type,
        "quantity": request.quantity,
        "price": request.price,
        "trigger_price": request.trigger_price,
        "market_protection": request.market_protection,
        "closing_quantity": decision.closing_quantity,
        "margin": decision.margin,
        "charges": decision.charges.total,
        "charge_items": decision.charges.as_json(),
    }
    execute(UPDATE, changed)


def _post(ledger: AccountLedger, order: OrderRow, kind: LedgerKind, difference: Decimal) -> None:
    ledger.post(kind, abs(difference), order_id=order["id"])
