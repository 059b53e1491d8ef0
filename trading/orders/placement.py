"""Accept an order: check, reserve margin, debit charges and write it PENDING, in one transaction."""

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from models import Position
from models.database import Row, session, transactional
from runtime import metrics, tracing
from runtime.timing import Stopwatch
from trading.accounts.idempotency import IdempotencyKey, find_answer, in_progress_refused
from trading.accounts.shares import within_share
from trading.events import publishing
from trading.market import calendars
from trading.orders.placement_statements import read_state, write_order, write_order_at_once
from trading.rules.decision import Decision, OrderRequest, check_cover, decide
from trading.rules.errors import AccountSuspended, DuplicateClientOrderId, MarketClosed, NotFound, NothingToClose
from trading.rules.margin import closing_quantity
from trading.rules.sessions import INDIAN_TIME, session_at

__all__ = ["OrderRequest", "Placement", "close_position", "place_order"]

MAX_QUANTITY = 1_000_000


class Placement(NamedTuple):
    """An accepted order's row as it is answered, and whether the same was answered before."""

    order: Row
    is_replay: bool


@tracing.traced("place_order")
@within_share
def place_order(
    account_id: UUID,
    request: OrderRequest,
    *,
    calendar: str | None,
    watch: Stopwatch,
    idempotency_key: IdempotencyKey | None = None,
) -> Placement:
    """Accept an order and return its row, PENDING and committed; with a key that was used, the first answer's.

    Raises NotFound, DuplicateClientOrderId, AccountSuspended, MarketClosed, NoPrice, InsufficientHoldings,
    InsufficientMargin, IdempotencyConflict or IdempotencyInProgress; then nothing is left behind.
    """
    with in_progress_refused():
        placement = _place_at_once(account_id, request, calendar, watch, idempotency_key)
        if placement is None:
            placement = _place(account_id, request, calendar, watch, idempotency_key)
            watch.lap("commit")
    return _announced(placement)


@tracing.traced("close_position")
@within_share
def close_position(
    account_id: UUID,
    position_id: UUID,
    *,
    calendar: str | None,
    watch: Stopwatch,
    idempotency_key: IdempotencyKey | None = None,
) -> Placement:
    """Accept the MARKET order that closes what is open and not promised of a position.

    Raises NothingToClose, and what place_order raises. At most 1,000,000 are closed by one order.
    """
    with in_progress_refused():
        placement = _close(account_id, position_id, calendar, watch, idempotency_key)
    watch.lap("commit")
    return _announced(placement)


def placed_before(account_id: UUID, key: IdempotencyKey) -> Placement | None:
    """Return the placement that was answered to a key, None when there is none; places nothing.

    Raises IdempotencyConflict or IdempotencyInProgress.
    """
    with session():
        order = find_answer(account_id, key)
    return None if order is None else _announced(Placement(order, is_replay=True))


def _announced(placement: Placement) -> Placement:
    metrics.of(metrics.PLACEMENTS, "replayed" if placement.is_replay else "accepted").inc()
    if not placement.is_replay:
        tracing.remember(placement.order["id"])
        publishing.nudge([placement.order["account_id"]])
    return placement


def _place_at_once(
    account_id: UUID, request: OrderRequest, calendar: str | None, watch: Stopwatch, key: IdempotencyKey | None
) -> Placement | None:
    """Take the short way of an order with a price in a market that is always open, if it only opens.

    The database checks that it does, and that this process has the day of the charges right.
    """
    if request.price is None or calendar is not None:
        return None
    with watch.step("margin"):
        today = datetime.now(INDIAN_TIME).date()
        decision = decide(request, on=today)
    order = write_order_at_once(account_id, request, decision, today, key, watch)
    return None if order is None else Placement(order, is_replay=False)


@transactional
def _place(
    account_id: UUID, request: OrderRequest, calendar: str | None, watch: Stopwatch, key: IdempotencyKey | None
) -> Placement:
    watch.mark()
    state = read_state(account_id, request, key)
    watch.lap("stock")
    if state["answer"] is not None:
        return _replayed(state, key)
    refuse_early(state, calendar, watch)
    return _accept(account_id, request, state, key, watch)


@transactional
def _close(
    account_id: UUID, position_id: UUID, calendar: str | None, watch: Stopwatch, key: IdempotencyKey | None
) -> Placement:
    position = Position.get_or_none(Position.id == position_id, Position.account_id == account_id)
    if position is None:
        raise NotFound
    request = OrderRequest(
        exchange=position.exchange,
        symbol=position.symbol,
        side=_closing_side(position.quantity),
        quantity=MAX_QUANTITY,
        product=position.product,
    )
    watch.mark()
    state = read_state(account_id, request, key)
    if state["answer"] is None and _closing_side(state["held"]) != request.side:
        # A fill has turned the position around before its account was locked.
        request = replace(request, side=_closing_side(state["held"]))
        state = read_state(account_id, request, key)
    watch.lap("stock")
    if state["answer"] is not None:
        return _replayed(state, key)
    refuse_early(state, calendar, watch)
    closable = closing_quantity(
        side=request.side, quantity=MAX_QUANTITY, held=state["held"], promised=int(state["promised"])
    )
    if closable == 0:
        raise NothingToClose
    return _accept(account_id, replace(request, quantity=closable), state, key, watch)


def _closing_side(quantity: int) -> str:
    return "SELL" if quantity > 0 else "BUY"


def _replayed(state: Row, key: IdempotencyKey | None) -> Placement:
    assert key is not None
    key.check(state["fingerprint"])
    return Placement(state["answer"], is_replay=True)


def refuse_early(state: Row, calendar: str | None, watch: Stopwatch) -> None:
    """Refuse what does not depend on money; raises DuplicateClientOrderId, AccountSuspended or MarketClosed."""
    if state["duplicate_of"] is not None:
        raise DuplicateClientOrderId(order_id=state["duplicate_of"])
    if state["status"] != "ACTIVE":
        raise AccountSuspended
    with watch.step("session"):
        _check_session(calendar, state["read_at"])


def _check_session(calendar: str | None, now: datetime) -> None:
    if calendar is None:
        return
    session = session_at(now, calendars.holidays(calendar))
    if session.next_open is not None:
        raise MarketClosed(next_open=session.next_open)


def decide_on(request: OrderRequest, state: Row) -> Decision:
    """Decide on an order by what was read under the account's lock; raises NoPrice."""
    return decide(
        request,
        last_price=state["last_price"],
        held=state["held"],
        promised=int(state["promised"]),
        on=state["read_at"].astimezone(INDIAN_TIME).date(),
    )


def _accept(
    account_id: UUID, request: OrderRequest, state: Row, key: IdempotencyKey | None, watch: Stopwatch
) -> Placement:
    """Decide, then reserve, debit and write the order."""
    watch.mark()
    decision = decide_on(request, state)
    check_cover(request, decision, state["available_margin"])
    watch.lap("margin")
    order = write_order(account_id, request, decision, state["stock_id"], key, watch)
    watch.mark()
    return Placement(order, is_replay=False)
