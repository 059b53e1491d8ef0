"""The statements of a placement: read the facts that it is decided on, and write the decision."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, cast

from peewee import DatabaseError

from models.database import (
    RETRIED_STATES,
    DatabaseUnavailable,
    Row,
    execute,
    fetch_one,
    row_of,
    session,
    sqlstate,
    transactional,
)
from models.identifiers import new_id
from models.rows import OrderRow
from runtime.timing import stopwatch
from trading.orders.placement_types import PlacementContext, PlacementState
from trading.orders.unsettled import unsettled_promised
from trading.rules.decision import Decision
from trading.rules.errors import NotFound
from trading.rules.money import rounded_if_any
from trading.rules.terms import OrderOrigin, OrderStatus, WaitingFor

READ = """
SELECT * FROM order_facts(%(account_id)s, %(exchange)s, %(symbol)s, %(side)s, %(product)s, %(client_order_id)s,
                          %(scope)s, %(key)s, %(max_quote_age_s)s)
"""
# The same without a lock. It says what quote_is_usable says: Citus has no row of a stock to give to a function here.
LOOK = """
SELECT account.status, account.available_margin, account.fill_model, moment AS read_at, stock.id AS stock_id,
    stock.last_price, stock.tick_size, stock.lot_size, coalesce(stock.allows_intraday, true) AS allows_intraday,
    coalesce(stock.quote_number, 0) AS quote_number, coalesce(stock.usable_number, 0) AS usable_number,
    coalesce(stock.is_usable AND NOT stock.is_halted AND (%(max_quote_age_s)s = 0
        OR stock.quoted_at >= moment - make_interval(secs => %(max_quote_age_s)s)), false) AS is_usable,
    stock.bid_price, stock.ask_price, stock.quoted_at, coalesce(stock.session_class, 'NORMAL') AS session_class,
    CASE WHEN stock.circuit_day = (moment AT TIME ZONE 'Asia/Kolkata')::date THEN stock.lower_circuit END
        AS lower_circuit,
    CASE WHEN stock.circuit_day = (moment AT TIME ZONE 'Asia/Kolkata')::date THEN stock.upper_circuit END
        AS upper_circuit,
    coalesce(position.quantity, 0) AS held, coalesce(position.blocked_margin, 0) AS held_margin,
    (SELECT id FROM trading_order WHERE account_id = account.id AND client_order_id = %(client_order_id)s
        UNION SELECT order_id FROM taken_client_order_id
        WHERE account_id = account.id AND client_order_id = %(client_order_id)s) AS duplicate_of,
    (SELECT coalesce(sum(closing_quantity), 0) FROM trading_order
        WHERE account_id = account.id AND stock_id = stock.id AND product = %(product)s AND side = %(side)s
          AND status IN ('PENDING', 'OPEN') AND closing_quantity > 0) AS promised
FROM account CROSS JOIN market_now() AS moment
LEFT JOIN stock ON stock.exchange = %(exchange)s AND stock.symbol = %(symbol)s
LEFT JOIN position ON position.account_id = account.id AND position.stock_id = stock.id
    AND position.product = %(product)s
WHERE account.id = %(account_id)s
"""
CREATE_STOCK = """
INSERT INTO stock (id, exchange, symbol, instrument_token)
VALUES (%(id)s, %(exchange)s, %(symbol)s, synthetic_token(%(exchange)s)) ON CONFLICT (exchange, symbol) DO NOTHING
"""
WRITE = """
SELECT placed.*, last_order_number(placed.placed_at) AS order_number FROM order_write(
    %(id)s, %(account_id)s, %(stock_id)s, %(exchange)s, %(symbol)s, %(client_order_id)s, %(side)s, %(product)s,
    %(order_type)s, %(quantity)s, %(price)s, %(trigger_price)s, %(validity)s, %(validity_minutes)s,
    %(market_protection)s, %(after_market)s, %(tag)s, %(fill_model)s, %(limit_fills)s, %(ends_at)s,
    %(closing_quantity)s, %(blocked_margin)s, %(charges)s, %(charge_items)s, %(scope)s, %(key)s, %(fingerprint)s,
    %(waits)s) AS placed
"""
# One value, whose parts the server neither coerces nor plans one by one.
WRITE_AT_ONCE = "SELECT * FROM order_opened(%s::order_terms)"
TERMS = (
    "id", "account_id", "exchange", "symbol", "client_order_id", "side", "product", "order_type", "quantity", "price",
    "trigger_price", "validity", "validity_minutes", "market_protection", "after_market", "tag", "limit_fills",
    "ends_at", "blocked_margin", "charges", "charge_items", "charged_on", "scope", "key", "fingerprint",
)  # fmt: skip
# The columns of a new order that no placement gives: the functions return the others.
UNTOUCHED: dict[str, Any] = {
    "status": OrderStatus.PENDING.value,
    "filled_quantity": 0,
    "trigger_is_told": False,
    "attempts": 0,
    "origin": OrderOrigin.CLIENT.value,
    "modifications": 0,
} | dict.fromkeys(
    ("average_price", "position_id", "rejection_reason", "retry_at", "executed_at", "protection_price", "end_reason",
     "waiting_for", "opened_number", "watch_price", "watch_trigger", "triggered_at", "match_sequence", "match_class",
     "match_price", "matched_at", "fill", "modified_at")
)  # fmt: skip
STEPS = ("stock", "reserve", "order", "ledger")
# Raised by order_opened, or by a deadlock: the transaction in steps is tried more than once.
# 23505, a key that was written meanwhile: on Citus a request in steps locks its key on another server than this one.
IN_STEPS_STATES = RETRIED_STATES | {"TP100", "23505"}


def read_state(context: PlacementContext) -> PlacementState:
    """Lock the account, make the stock active again, and return the facts of the decision.

    With a key that was used, return its answer and lock nothing. Raises NotFound.
    """
    state = fetch_one(READ, _asked(context))
    assert state is not None
    if state["status"] is None and state["answer"] is None:
        raise NotFound
    return unsettled_promised(context.account_id, context.request, PlacementState(**state))


def look_at_state(context: PlacementContext) -> PlacementState:
    """Return the facts of a decision at this moment, and lock and write nothing; raises NotFound."""
    with session():
        state = fetch_one(LOOK, _asked(context))
        if state is None:
            raise NotFound
        return unsettled_promised(context.account_id, context.request, PlacementState(**state))


@transactional
def create_stock(exchange: str, symbol: str) -> None:
    """Create a stock that does not exist."""
    execute(CREATE_STOCK, {"id": new_id(), "exchange": exchange, "symbol": symbol})


def write_order(
    context: PlacementContext, state: PlacementState, decision: Decision, ends_at: datetime | None, *, waits: bool
) -> OrderRow:
    """Reserve margin, debit charges, insert the order and its ledger entries, and return the order's row.

    The order expires at ends_at, or when its minutes are over. An order that waits for its session has no worker that
    is due, and expires at ends_at.
    """
    order = _new_order(context, decision) | {"stock_id": state.stock_id, "fill_model": state.fill_model}
    given = {"charge_items": decision.charges.as_json(), "ends_at": ends_at, "waits": waits}
    written = fetch_one(WRITE, {**_asked(context), **order, **given})
    assert written is not None
    placed = _placed(order, written, STEPS[1:])
    if waits:
        placed["waiting_for"], placed["due_at"] = WaitingFor.SESSION.value, None
    return placed


def write_order_at_once(
    context: PlacementContext, decision: Decision, charged_on: date, ends_at: datetime | None
) -> OrderRow | None:
    """Check, reserve, debit, insert and commit an order that only opens, in one statement.

    Return None, with nothing done, if the placement is of another kind, is refused, or was answered before:
    the placement in steps tells which.
    """
    watch = stopwatch()
    order = _new_order(context, decision)
    given = {"charge_items": decision.charges.as_json(), "charged_on": charged_on, "ends_at": ends_at}
    terms = {**_key_of(context), **order, **given}
    watch.mark()
    try:
        with session():
            written = fetch_one(WRITE_AT_ONCE, (row_of(terms[name] for name in TERMS),))
    except (DatabaseError, DatabaseUnavailable) as error:
        if sqlstate(error) in IN_STEPS_STATES:
            return None
        raise
    assert written is not None
    inside_ms = sum(written[f"{step}_ms"] for step in STEPS)
    watch.lap("commit")
    watch.record("commit", watch.steps["commit"] - inside_ms)
    return _placed(order, written, STEPS)


def _asked(context: PlacementContext) -> dict[str, Any]:
    request = context.request
    return {
        "account_id": context.account_id,
        "exchange": request.exchange,
        "symbol": request.symbol,
        "side": request.side,
        "product": request.product,
        "client_order_id": request.client_order_id,
        "max_quote_age_s": context.fills.max_quote_age_s,
        **_key_of(context),
    }


def _key_of(context: PlacementContext) -> dict[str, Any]:
    key = context.idempotency_key
    return {"scope": key and key.scope, "key": key and key.key, "fingerprint": key and key.fingerprint}


def _new_order(context: PlacementContext, decision: Decision) -> dict[str, Any]:
    """Return the columns of a new order that are known before it is written."""
    request = context.request
    return {
        **UNTOUCHED,
        "id": new_id(),
        "account_id": context.account_id,
        "exchange": request.exchange,
        "symbol": request.symbol,
        "client_order_id": request.client_order_id,
        "side": request.side,
        "product": request.product,
        "order_type": request.order_type,
        "quantity": request.quantity,
        "price": rounded_if_any(request.price),
        "trigger_price": rounded_if_any(request.trigger_price),
        "validity": request.validity,
        "validity_minutes": request.validity_minutes,
        "market_protection": rounded_if_any(request.market_protection),
        "after_market": request.after_market,
        "tag": request.tag,
        "limit_fills": context.fills.limit_fills,
        "closing_quantity": decision.closing_quantity,
        "blocked_margin": decision.margin,
        "charges": decision.charges.total,
        "charge_items": decision.charges.as_dict(),
    }


def _placed(order: dict[str, Any], written: Row, steps: Iterable[str]) -> OrderRow:
    """Return the row of a new order, and move the lengths of the steps, measured by the database, to the stopwatch."""
    watch = stopwatch()
    for step in STEPS:
        length_ms = written.pop(f"{step}_ms")
        if step in steps:
            watch.record(step, length_ms)
    return cast(OrderRow, {**order, **written, "due_at": written["placed_at"]})
