"""Preview an order: decide on it with the code that places it, and place nothing."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from trading.market import calendars
from trading.orders.placement_in_steps import StockUnknown, decide_on, refuse_by_stock, refuse_early, unknown_symbol
from trading.orders.placement_statements import look_at_state
from trading.orders.placement_types import DEFAULT_FILLS, FillSettings, PlacementContext, PlacementState
from trading.rules.decision import Decision, OrderRequest, check_cover
from trading.rules.errors import NoPrice, Refused
from trading.rules.matching import first_look
from trading.rules.order_sessions import OrderSession
from trading.rules.quotes import is_of_open_session
from trading.rules.resting import RestingOrder, Verdict
from trading.rules.terms import FillModel, WaitingFor

# Of an order that waits for its session.
WAITING = Verdict(waiting_for=WaitingFor.SESSION)


class Preview(NamedTuple):
    """A decision that was not carried out, the available margin, the first look, and the placement's refusal, if any.

    The look is made on the present quote; it does not consider the refusal.
    """

    decision: Decision
    available_margin: Decimal
    look: Verdict
    refusal: Refused | None


def preview_order(
    account_id: UUID, request: OrderRequest, *, calendar: str | None, fills: FillSettings = DEFAULT_FILLS
) -> Preview:
    """Return the decision that place_order would make at this moment; lock and write nothing.

    Raises NotFound, or UnknownSymbol for a symbol that is refused. An order without a price has no decision: then
    raises the refusal of place_order.
    """
    context = PlacementContext(account_id, request, calendar, fills=fills)
    state = look_at_state(context)
    try:
        session, early = _session(context, state)
    except StockUnknown:
        raise unknown_symbol(context) from None
    try:
        decision = decide_on(request, state)
    except NoPrice as no_price:
        raise early or no_price from None
    refusal = early or _refusal(check_cover, request, decision, state.available_margin)
    look = WAITING if session is not None and session.waits else _look(context, state, decision)
    return Preview(decision, state.available_margin, look, refusal)


def _session(context: PlacementContext, state: PlacementState) -> tuple[OrderSession | None, Refused | None]:
    """Return the session that the order is for, and the refusal before money is judged; each may be None."""
    try:
        session = refuse_early(context, state)
    except Refused as refusal:
        return None, refusal
    return session, _refusal(refuse_by_stock, context.request, state, session)


def _look(context: PlacementContext, state: PlacementState, decision: Decision) -> Verdict:
    """Return the verdict of the order's first look, if it came now."""
    request = context.request
    if state.fill_model == FillModel.IMMEDIATE:
        return Verdict(fill_price=decision.price)
    order = RestingOrder(
        side=request.side,
        order_type=request.order_type,
        price=request.price,
        trigger_price=request.trigger_price,
        market_protection=request.market_protection,
        limit_fills=context.fills.limit_fills,
        validity=request.validity,
    )
    return first_look(order, replace(state.quote, is_usable=_is_usable(context, state)))


def _is_usable(context: PlacementContext, state: PlacementState) -> bool:
    """Return True if the present quote may fill orders now, and is of a session that is open."""
    days = calendars.days(context.calendar)
    if days is None or not state.is_usable or state.quoted_at is None:
        return state.is_usable
    return is_of_open_session(state.quoted_at, state.read_at, days, state.session_class)


def _refusal(check: Callable[..., None], *given: Any) -> Refused | None:
    """Return the refusal that a check raises, or None."""
    try:
        check(*given)
    except Refused as refusal:
        return refusal
    return None
