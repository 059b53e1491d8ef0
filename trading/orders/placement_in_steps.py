"""Place any order in steps: read the facts under the account's lock, decide in Python, write the decision."""

from datetime import datetime

from models.database import transactional
from runtime.timing import stopwatch
from trading.market import calendars
from trading.orders.placement_statements import read_state, write_order
from trading.orders.placement_types import Placement, PlacementContext, PlacementState
from trading.rules.decision import Decision, OrderRequest, check_cover, decide
from trading.rules.errors import AccountSuspended, DuplicateClientOrderId, MarketClosed
from trading.rules.sessions import INDIAN_TIME, session_at
from trading.rules.terms import AccountStatus


@transactional
def place_in_steps(context: PlacementContext) -> Placement:
    """Place an order in one transaction; raises the errors of place_order."""
    watch = stopwatch()
    watch.mark()
    state = read_state(context)
    watch.lap("stock")
    if state.answer is not None:
        return replayed(context, state)
    refuse_early(state, context.calendar)
    return accept(context, state)


def replayed(context: PlacementContext, state: PlacementState) -> Placement:
    """Return the placement that was answered to the key before; raises IdempotencyConflict."""
    assert context.idempotency_key is not None
    assert state.answer is not None
    assert state.fingerprint is not None
    context.idempotency_key.check(state.fingerprint)
    return Placement(state.answer, is_replay=True)


def refuse_early(state: PlacementState, calendar: str | None) -> None:
    """Refuse for reasons other than money; raises DuplicateClientOrderId, AccountSuspended or MarketClosed."""
    if state.duplicate_of is not None:
        raise DuplicateClientOrderId(order_id=state.duplicate_of)
    if state.status != AccountStatus.ACTIVE:
        raise AccountSuspended
    with stopwatch().step("session"):
        _check_session(calendar, state.read_at)


def _check_session(calendar: str | None, now: datetime) -> None:
    if calendar is None:
        return
    session = session_at(now, calendars.holidays(calendar))
    if session.next_open is not None:
        raise MarketClosed(next_open=session.next_open)


def decide_on(request: OrderRequest, state: PlacementState) -> Decision:
    """Decide on an order by the facts that were read; raises NoPrice."""
    return decide(
        request,
        last_price=state.last_price,
        held=state.held,
        promised=state.promised,
        on=state.read_at.astimezone(INDIAN_TIME).date(),
    )


def accept(context: PlacementContext, state: PlacementState) -> Placement:
    """Decide, reserve margin, debit charges and write the order.

    Raises NoPrice, InsufficientHoldings or InsufficientMargin.
    """
    watch = stopwatch()
    watch.mark()
    decision = decide_on(context.request, state)
    check_cover(context.request, decision, state.available_margin)
    watch.lap("margin")
    assert state.stock_id is not None
    order = write_order(context, decision, state.stock_id)
    watch.mark()
    return Placement(order, is_replay=False)
