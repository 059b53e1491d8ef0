"""Place any order in steps: read the facts under the account's lock, decide in Python, write the decision."""

from dataclasses import replace
from datetime import datetime

from models.database import transactional
from runtime.timing import stopwatch
from trading.market import calendars
from trading.orders.placement_statements import create_stock, read_state, write_order
from trading.orders.placement_types import Placement, PlacementContext, PlacementState
from trading.rules.decision import Decision, OrderRequest, check_cover, decide
from trading.rules.errors import AccountSuspended, DuplicateClientOrderId, MarketClosed
from trading.rules.expiry import expires_with
from trading.rules.margin import closing_quantity
from trading.rules.order_checks import check_fill_model, check_order
from trading.rules.reservation import assumed_price
from trading.rules.sessions import INDIAN_TIME, session_at
from trading.rules.terms import AccountStatus, FillModel


class StockUnknown(Exception):
    """The order is accepted but for its stock, which does not exist yet."""


def place_in_steps(context: PlacementContext) -> Placement:
    """Place an order in one transaction; raises the errors of place_order.

    A stock that does not exist is created in a transaction of its own: who holds an account waits for no stock.
    """
    try:
        return _place(context)
    except StockUnknown:
        create_stock(context.request.exchange, context.request.symbol)
        return _place(context)


@transactional
def _place(context: PlacementContext) -> Placement:
    watch = stopwatch()
    watch.mark()
    state = read_state(context)
    watch.lap("stock")
    if state.answer is not None:
        return replayed(context, state)
    refuse_early(context, state)
    return accept(context, state)


def replayed(context: PlacementContext, state: PlacementState) -> Placement:
    """Return the placement that was answered to the key before; raises IdempotencyConflict."""
    assert context.idempotency_key is not None
    assert state.answer is not None
    assert state.fingerprint is not None
    context.idempotency_key.check(state.fingerprint)
    return Placement(state.answer, is_replay=True)


def refuse_early(context: PlacementContext, state: PlacementState) -> None:
    """Refuse for reasons other than the stock and money.

    Raises DuplicateClientOrderId, AccountSuspended, NotSimulated or MarketClosed.
    """
    if state.duplicate_of is not None:
        raise DuplicateClientOrderId(order_id=state.duplicate_of)
    if state.status != AccountStatus.ACTIVE:
        raise AccountSuspended
    check_fill_model(context.request, state.fill_model)
    with stopwatch().step("session"):
        _check_session(context.calendar, state.read_at)


def _check_session(calendar: str | None, now: datetime) -> None:
    # An afterMarket order will pass here, once something releases orders at the open; check_fill_model refuses it.
    if calendar is None:
        return
    session = session_at(now, calendars.holidays(calendar))
    if session.next_open is not None:
        raise MarketClosed(next_open=session.next_open)


def refuse_by_stock(request: OrderRequest, state: PlacementState, *, is_triggered: bool = False) -> None:
    """Refuse an order that its stock does not allow; is_triggered is True for a stop whose trigger has fired.

    Raises an error of order_checks.check_order.
    """
    only_closes = not _opens(request, state)
    check_order(request, state.stock, fill_model=state.fill_model, is_triggered=is_triggered, only_closes=only_closes)


def decide_on(request: OrderRequest, state: PlacementState) -> Decision:
    """Decide on an order by the facts that were read; raises NoPrice."""
    if state.fill_model == FillModel.QUOTES:
        request = replace(request, price=assumed_price(request, state.quote, opens=_opens(request, state)))
    return decide(
        request,
        last_price=state.last_price,
        held=state.held,
        held_margin=state.held_margin,
        promised=state.promised,
        on=state.read_at.astimezone(INDIAN_TIME).date(),
    )


def _opens(request: OrderRequest, state: PlacementState) -> bool:
    closing = closing_quantity(side=request.side, quantity=request.quantity, held=state.held, promised=state.promised)
    return closing < request.quantity


def accept(context: PlacementContext, state: PlacementState) -> Placement:
    """Decide, reserve margin, debit charges and write the order.

    Raises an error of refuse_by_stock, NoPrice, InsufficientHoldings, InsufficientMargin or StockUnknown.
    """
    watch = stopwatch()
    watch.mark()
    refuse_by_stock(context.request, state)
    decision = decide_on(context.request, state)
    check_cover(context.request, decision, state.available_margin)
    watch.lap("margin")
    if state.stock_id is None:
        raise StockUnknown
    order = write_order(context, state, decision, _ends_at(context, state))
    watch.mark()
    return Placement(order, is_replay=False)


def _ends_at(context: PlacementContext, state: PlacementState) -> datetime | None:
    return expires_with(
        context.request,
        fill_model=state.fill_model,
        now=state.read_at,
        has_sessions=context.calendar is not None,
    )
