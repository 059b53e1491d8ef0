"""Place any order in steps: read the facts under the account's lock, decide in Python, write the decision."""

from dataclasses import replace

from models.database import transactional
from runtime.timing import stopwatch
from trading.market import calendars
from trading.market.nearest import nearest_symbols
from trading.orders.placement_statements import create_stock, read_state, write_order
from trading.orders.placement_types import Placement, PlacementContext, PlacementState
from trading.rules.decision import Decision, OrderRequest, check_cover, decide
from trading.rules.errors import AccountSuspended, DuplicateClientOrderId, UnknownSymbol
from trading.rules.expiry import expires_with
from trading.rules.margin import closing_quantity
from trading.rules.order_checks import check_fill_model, check_order
from trading.rules.order_sessions import OrderSession, check_square_off, session_for
from trading.rules.reservation import assumed_price
from trading.rules.sessions import indian_day
from trading.rules.terms import AccountStatus, FillModel, UnknownSymbols


class StockUnknown(Exception):
    """The order's stock does not exist: it is created for an order that is accepted but for that, or never."""


def place_in_steps(context: PlacementContext) -> Placement:
    """Place an order in one transaction; raises the errors of place_order.

    A stock that does not exist is created in a transaction of its own: who holds an account waits for no stock. For the
    same reason the stocks nearest to a refused symbol are looked for afterwards.
    """
    try:
        return _place(context)
    except StockUnknown:
        if refuses_unknown(context):
            raise unknown_symbol(context) from None
        create_stock(context.request.exchange, context.request.symbol)
        return _place(context)


def refuses_unknown(context: PlacementContext) -> bool:
    """Return True if an order for an unknown symbol is refused."""
    return context.fills.unknown_symbols == UnknownSymbols.REFUSE


def unknown_symbol(context: PlacementContext) -> UnknownSymbol:
    """Return the refusal of an order for an unknown symbol, with the stocks that the client may have meant."""
    exchange, symbol = context.request.exchange, context.request.symbol
    nearest = [stock._asdict() for stock in nearest_symbols(exchange, symbol)]
    return UnknownSymbol(exchange=exchange, symbol=symbol, nearest=nearest)


@transactional
def _place(context: PlacementContext) -> Placement:
    watch = stopwatch()
    watch.mark()
    state = read_state(context)
    watch.lap("stock")
    if state.answer is not None:
        return replayed(context, state)
    return accept(context, state, refuse_early(context, state))


def replayed(context: PlacementContext, state: PlacementState) -> Placement:
    """Return the placement that was answered to the key before; raises IdempotencyConflict."""
    assert context.idempotency_key is not None
    assert state.answer is not None
    assert state.fingerprint is not None
    context.idempotency_key.check(state.fingerprint)
    return Placement(state.answer, is_replay=True)


def refuse_early(context: PlacementContext, state: PlacementState) -> OrderSession:
    """Refuse for reasons other than the stock and money, or return the session that the order is for.

    Raises DuplicateClientOrderId, AccountSuspended, NotSimulated, StockUnknown if unknown symbols are refused, or
    MarketClosed.
    """
    if state.duplicate_of is not None:
        raise DuplicateClientOrderId(order_id=state.duplicate_of)
    if state.status != AccountStatus.ACTIVE:
        raise AccountSuspended
    check_fill_model(context.request, state.fill_model)
    if state.stock_id is None and refuses_unknown(context):
        raise StockUnknown
    with stopwatch().step("session"):
        return session_for(
            calendars.days(context.calendar),
            state.session_class,
            state.read_at,
            after_market=context.request.after_market,
            square_off_time=context.fills.square_off_time,
        )


def refuse_by_stock(
    request: OrderRequest, state: PlacementState, session: OrderSession, *, is_triggered: bool = False
) -> None:
    """Refuse an order that its stock or its session does not allow.

    is_triggered is True for a stop whose trigger has fired. Raises an error of order_checks.check_order, or
    SquareOffPassed.
    """
    opens = _opens(request, state)
    stock = state.stock_in(session)
    check_order(request, stock, fill_model=state.fill_model, is_triggered=is_triggered, only_closes=not opens)
    check_square_off(session, state.read_at, product=request.product, opens=opens)


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
        on=indian_day(state.read_at),
    )


def _opens(request: OrderRequest, state: PlacementState) -> bool:
    closing = closing_quantity(side=request.side, quantity=request.quantity, held=state.held, promised=state.promised)
    return closing < request.quantity


def accept(context: PlacementContext, state: PlacementState, session: OrderSession) -> Placement:
    """Decide, reserve margin, debit charges and write the order.

    Raises an error of refuse_by_stock, NoPrice, InsufficientHoldings, InsufficientMargin or StockUnknown.
    """
    watch = stopwatch()
    watch.mark()
    refuse_by_stock(context.request, state, session)
    decision = decide_on(context.request, state)
    check_cover(context.request, decision, state.available_margin)
    watch.lap("margin")
    if state.stock_id is None:
        raise StockUnknown
    ends_at = expires_with(context.request, session, fill_model=state.fill_model)
    order = write_order(context, state, decision, ends_at, waits=session.waits)
    watch.mark()
    return Placement(order, is_replay=False)
