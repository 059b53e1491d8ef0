"""Accept an order: check, reserve margin, debit charges and write it PENDING, in one transaction."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from models import Position
from models.database import Row, fetch_one, transactional
from models.identifiers import new_id
from trading import calendars, events
from trading.charges import Charges, charges_for
from trading.errors import (
    AccountSuspended,
    DuplicateClientOrderId,
    InsufficientHoldings,
    InsufficientMargin,
    MarketClosed,
    NoPrice,
    NotFound,
    NothingToClose,
)
from trading.idempotency import IdempotencyKey, in_progress_refused
from trading.margin import closing_quantity, margin_for
from trading.sessions import INDIAN_TIME, session_at
from trading.timing import Stopwatch

MAX_QUANTITY = 1_000_000

READ = """
SELECT * FROM placement_read(%(account_id)s, %(exchange)s, %(symbol)s, %(side)s, %(product)s,
                             %(client_order_id)s, %(new_stock_id)s, %(scope)s, %(key)s)
"""
WRITE = """
SELECT (placed).*, reserve_ms, order_ms, ledger_ms
FROM placement_write(%(id)s, %(account_id)s, %(stock_id)s, %(exchange)s, %(symbol)s, %(client_order_id)s,
                     %(side)s, %(product)s, %(order_type)s, %(quantity)s, %(price)s, %(closing_quantity)s,
                     %(blocked_margin)s, %(charges)s, %(charge_items)s, %(scope)s, %(key)s, %(fingerprint)s)
"""


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a client asks for; price in rupees for LIMIT, None for MARKET."""

    exchange: str
    symbol: str
    side: str
    quantity: int
    order_type: str = "MARKET"
    price: Decimal | None = None
    product: str = "INTRADAY"
    client_order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What an order will take: price and margin in rupees, its charges, and what it closes and opens."""

    price: Decimal
    closing_quantity: int
    opening_quantity: int
    margin: Decimal
    charges: Charges


class Placement(NamedTuple):
    """An accepted order's row as it is answered, and whether the same was answered before."""

    order: Row
    is_replay: bool


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
        placement = _place(account_id, request, calendar, watch, idempotency_key)
    return _announced(placement, watch)


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
    return _announced(placement, watch)


def _announced(placement: Placement, watch: Stopwatch) -> Placement:
    watch.lap("commit")
    if not placement.is_replay:
        events.nudge([placement.order["account_id"]])
    return placement


@transactional
def _place(
    account_id: UUID, request: OrderRequest, calendar: str | None, watch: Stopwatch, key: IdempotencyKey | None
) -> Placement:
    state = read_under_lock(account_id, request, key, watch)
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
        side="SELL" if position.quantity > 0 else "BUY",
        quantity=MAX_QUANTITY,
        product=position.product,
    )
    state = read_under_lock(account_id, request, key, watch)
    if state["answer"] is not None:
        return _replayed(state, key)
    refuse_early(state, calendar, watch)
    closable = _closing_quantity(request, state)
    if closable == 0:
        raise NothingToClose
    return _accept(account_id, replace(request, quantity=closable), state, key, watch)


def _replayed(state: Row, key: IdempotencyKey | None) -> Placement:
    assert key is not None
    key.check(state["fingerprint"])
    return Placement(state["answer"], is_replay=True)


def read_under_lock(account_id: UUID, request: OrderRequest, key: IdempotencyKey | None, watch: Stopwatch) -> Row:
    """Lock the account, ensure or recover the stock, and return what the decision rests on.

    With a key that was used, return its answer and nothing else. Raises NotFound.
    """
    watch.mark()
    parameters = {
        "account_id": account_id,
        "exchange": request.exchange,
        "symbol": request.symbol,
        "side": request.side,
        "product": request.product,
        "client_order_id": request.client_order_id,
        "new_stock_id": new_id(),
        "scope": key and key.scope,
        "key": key and key.key,
    }
    state = fetch_one(READ, parameters)
    watch.lap("stock")
    if state is None:
        raise NotFound
    return state


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


def _closing_quantity(request: OrderRequest, state: Row) -> int:
    return closing_quantity(
        side=request.side, quantity=request.quantity, held=state["held"], promised=int(state["promised"])
    )


def decide(request: OrderRequest, state: Row) -> Decision:
    """Work out an order's price, margin and charges by the rules of money; raises NoPrice."""
    price = request.price if request.price is not None else state["last_price"]
    if price is None:
        raise NoPrice
    closing = _closing_quantity(request, state)
    charges = charges_for(
        exchange=request.exchange,
        product=request.product,
        side=request.side,
        turnover=price * request.quantity,
        on=state["read_at"].astimezone(INDIAN_TIME).date(),
    )
    margin = margin_for(request.product, price, request.quantity - closing)
    return Decision(price, closing, request.quantity - closing, margin, charges)


def check_cover(request: OrderRequest, decision: Decision, available_margin: Decimal) -> None:
    """Refuse what is not covered; an order that only closes always is."""
    if decision.opening_quantity == 0:
        return
    if request.product == "DELIVERY" and request.side == "SELL":
        raise InsufficientHoldings
    required = decision.margin + decision.charges.total
    if available_margin < required:
        raise InsufficientMargin(required=required, available=available_margin)


def _accept(
    account_id: UUID, request: OrderRequest, state: Row, key: IdempotencyKey | None, watch: Stopwatch
) -> Placement:
    """Decide, then reserve, debit and write the order."""
    decision = decide(request, state)
    check_cover(request, decision, state["available_margin"])
    watch.lap("margin")
    parameters = {
        "id": new_id(),
        "account_id": account_id,
        "stock_id": state["stock_id"],
        "exchange": request.exchange,
        "symbol": request.symbol,
        "client_order_id": request.client_order_id,
        "side": request.side,
        "product": request.product,
        "order_type": request.order_type,
        "quantity": request.quantity,
        "price": request.price,
        "closing_quantity": decision.closing_quantity,
        "blocked_margin": decision.margin,
        "charges": decision.charges.total,
        "charge_items": decision.charges.as_json(),
        "scope": key and key.scope,
        "key": key and key.key,
        "fingerprint": key and key.fingerprint,
    }
    order = fetch_one(WRITE, parameters)
    assert order is not None
    for step in ("reserve", "order", "ledger"):
        watch.record(step, order.pop(f"{step}_ms"))
    watch.mark()
    return Placement(order, is_replay=False)
