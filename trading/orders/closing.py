"""Close a position: place the MARKET order for a part that is open and not promised to live orders."""

from dataclasses import replace
from uuid import UUID

from models import Position
from models.database import session, transactional
from runtime import tracing
from runtime.timing import stopwatch
from trading.accounts.idempotency import IdempotencyKey, in_progress_refused
from trading.accounts.shares import within_share
from trading.orders.placement import announced
from trading.orders.placement_in_steps import accept, refuse_early, replayed
from trading.orders.placement_statements import read_state
from trading.orders.placement_types import DEFAULT_FILLS, FillSettings, Placement, PlacementContext, PlacementState
from trading.orders.promises import cancel_promises, when_promises_are_free
from trading.rules.decision import MAX_QUANTITY, OrderRequest
from trading.rules.errors import NotClosable, NotFound, NothingToClose
from trading.rules.margin import closing_quantity
from trading.rules.terms import Side


@tracing.traced("close_position")
@within_share
def close_position(
    account_id: UUID,
    position_id: UUID,
    *,
    calendar: str | None,
    fills: FillSettings = DEFAULT_FILLS,
    idempotency_key: IdempotencyKey | None = None,
    quantity: int | None = None,
    cancel_open_orders: bool = False,
) -> Placement:
    """Accept the order that closes a position or a quantity of it, and return it as place_order does.

    Without a quantity it closes all that is not promised to live orders, at most 1,000,000.
    With cancel_open_orders, first cancel the live orders to which the position is promised, in the same transaction.
    An order that the market has traded already stays, with its promise.

    Raises NothingToClose, NotClosable, or an error of place_order; then nothing has changed.
    """
    largest = _largest_closing_order(account_id, position_id)
    context = PlacementContext(account_id, largest, calendar, idempotency_key, fills)
    with in_progress_refused():
        placement = when_promises_are_free(lambda: _close(context, quantity, cancel_open_orders))
    stopwatch().lap("commit")
    return announced(placement)


@transactional
def _close(context: PlacementContext, quantity: int | None, cancel_open_orders: bool) -> Placement:
    watch = stopwatch()
    watch.mark()
    context, state = _read_state(context)
    watch.lap("stock")
    if state.answer is not None:
        return replayed(context, state)
    session = refuse_early(context, state)
    if cancel_open_orders and cancel_promises(context.account_id, state.stock_id, context.request):
        state = read_state(context)
    closable = closing_quantity(
        side=context.request.side, quantity=MAX_QUANTITY, held=state.held, promised=state.promised
    )
    if closable == 0:
        raise NothingToClose
    if quantity is not None and quantity > closable:
        raise NotClosable(closable=closable)
    request = replace(context.request, quantity=quantity or closable)
    return accept(replace(context, request=request), state, session)


def _largest_closing_order(account_id: UUID, position_id: UUID) -> OrderRequest:
    with session():
        position = Position.get_or_none(Position.id == position_id, Position.account_id == account_id)
    if position is None:
        raise NotFound
    return OrderRequest(
        exchange=position.exchange,
        symbol=position.symbol,
        side=_closing_side(position.quantity),
        quantity=MAX_QUANTITY,
        product=position.product,
    )


def _read_state(context: PlacementContext) -> tuple[PlacementContext, PlacementState]:
    """Read the facts of the decision, and turn the order's side if a fill has turned the position around."""
    state = read_state(context)
    if state.answer is None and _closing_side(state.held) != context.request.side:
        context = replace(context, request=replace(context.request, side=_closing_side(state.held)))
        state = read_state(context)
    return context, state


def _closing_side(quantity: int) -> Side:
    return Side.SELL if quantity > 0 else Side.BUY
