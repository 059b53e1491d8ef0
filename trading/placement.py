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
    Refused,
)
from trading.margin import closing_quantity, margin_for
from trading.sessions import INDIAN_TIME, session_at
from trading.timing import Stopwatch

MAX_QUANTITY = 1_000_000

READ = """
SELECT * FROM placement_read(%(account_id)s, %(exchange)s, %(symbol)s, %(side)s, %(product)s,
                             %(client_order_id)s, %(new_stock_id)s)
"""
WRITE = """
SELECT (placed).*, reserve_ms, order_ms, ledger_ms
FROM placement_write(%(id)s, %(account_id)s, %(stock_id)s, %(exchange)s, %(symbol)s, %(client_order_id)s,
                     %(side)s, %(product)s, %(order_type)s, %(quantity)s, %(price)s, %(closing_quantity)s,
                     %(blocked_margin)s, %(charges)s, %(charge_items)s)
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


class Preview(NamedTuple):
    """A decision that was not carried out, the margin available to it, and why it would be refused, if it would."""

    decision: Decision
    available_margin: Decimal
    refusal: Refused | None


def preview_order(account_id: UUID, request: OrderRequest, *, calendar: str | None) -> Preview:
    """Work out what place_order would do, and do nothing; raises what leaves nothing to work out."""
    try:
        _preview(account_id, request, calendar)
    except _Previewed as done:
        return done.preview
    raise AssertionError("unreachable")


def place_order(account_id: UUID, request: OrderRequest, *, calendar: str | None, watch: Stopwatch) -> Row:
    """Accept an order and return its row, PENDING and committed.

    Raises NotFound, DuplicateClientOrderId, AccountSuspended, MarketClosed, NoPrice,
    InsufficientHoldings or InsufficientMargin; then nothing is left behind.
    """
    order = _place(account_id, request, calendar, watch)
    watch.lap("commit")
    events.nudge([account_id])
    return order


def close_position(account_id: UUID, position_id: UUID, *, calendar: str | None, watch: Stopwatch) -> Row:
    """Accept the MARKET order that closes what is open and not promised of a position.

    Raises NothingToClose, and what place_order raises. At most 1,000,000 are closed by one order.
    """
    order = _close(account_id, position_id, calendar, watch)
    watch.lap("commit")
    events.nudge([account_id])
    return order


@transactional
def _place(account_id: UUID, request: OrderRequest, calendar: str | None, watch: Stopwatch) -> Row:
    state = _read(account_id, request, calendar, watch)
    return _accept(account_id, request, state, watch)


class _Previewed(Exception):
    """Carries a preview out of its transaction, which is rolled back by that."""

    def __init__(self, preview: Preview) -> None:
        super().__init__()
        self.preview = preview


@transactional
def _preview(account_id: UUID, request: OrderRequest, calendar: str | None) -> None:
    state = _read(account_id, request, calendar, Stopwatch())
    decision, refusal = _decide(request, state), None
    try:
        _check(request, decision, state["available_margin"])
    except Refused as error:
        refusal = error
    raise _Previewed(Preview(decision, state["available_margin"], refusal))


@transactional
def _close(account_id: UUID, position_id: UUID, calendar: str | None, watch: Stopwatch) -> Row:
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
    state = _read(account_id, request, calendar, watch)
    closable = _closing_quantity(request, state)
    if closable == 0:
        raise NothingToClose
    return _accept(account_id, replace(request, quantity=closable), state, watch)


def _read(account_id: UUID, request: OrderRequest, calendar: str | None, watch: Stopwatch) -> Row:
    """Lock the account, ensure or recover the stock, and return what the decision rests on."""
    watch.mark()
    parameters = {
        "account_id": account_id,
        "exchange": request.exchange,
        "symbol": request.symbol,
        "side": request.side,
        "product": request.product,
        "client_order_id": request.client_order_id,
        "new_stock_id": new_id(),
    }
    state = fetch_one(READ, parameters)
    watch.lap("stock")
    if state is None:
        raise NotFound
    if state["duplicate_of"] is not None:
        raise DuplicateClientOrderId(order_id=state["duplicate_of"])
    if state["status"] != "ACTIVE":
        raise AccountSuspended
    with watch.step("session"):
        _check_session(calendar, state["read_at"])
    return state


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


def _decide(request: OrderRequest, state: Row) -> Decision:
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


def _check(request: OrderRequest, decision: Decision, available_margin: Decimal) -> None:
    """Refuse what is not covered; an order that only closes always is."""
    if decision.opening_quantity == 0:
        return
    if request.product == "DELIVERY" and request.side == "SELL":
        raise InsufficientHoldings
    required = decision.margin + decision.charges.total
    if available_margin < required:
        raise InsufficientMargin(required=required, available=available_margin)


def _accept(account_id: UUID, request: OrderRequest, state: Row, watch: Stopwatch) -> Row:
    """Decide, then reserve, debit and write the order."""
    decision = _decide(request, state)
    _check(request, decision, state["available_margin"])
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
    }
    order = fetch_one(WRITE, parameters)
    assert order is not None
    for step in ("reserve", "order", "ledger"):
        watch.record(step, order.pop(f"{step}_ms"))
    watch.mark()
    return order
