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
    session,
    sqlstate,
    transactional,
)
from models.identifiers import new_id
from models.rows import OrderRow
from runtime.timing import stopwatch
from trading.orders.placement_types import PlacementContext, PlacementState
from trading.rules.decision import Decision
from trading.rules.errors import NotFound

READ = """
SELECT * FROM order_facts(%(account_id)s, %(exchange)s, %(symbol)s, %(side)s, %(product)s, %(client_order_id)s,
                          %(scope)s, %(key)s, %(max_quote_age_s)s)
"""
# The same without a lock.
LOOK = """
SELECT account.status, account.available_margin, account.fill_model, moment AS read_at, stock.id AS stock_id,
    stock.last_price, stock.tick_size, stock.lot_size, coalesce(stock.allows_intraday, true) AS allows_intraday,
    coalesce(stock.quote_number, 0) AS quote_number, coalesce(stock.usable_number, 0) AS usable_number,
    quote_is_usable(stock, moment, %(max_quote_age_s)s) AS is_usable,
    stock.bid_price, stock.ask_price, stock.quoted_at, coalesce(stock.session_class, 'NORMAL') AS session_class,
    CASE WHEN stock.circuit_day = (moment AT TIME ZONE 'Asia/Kolkata')::date THEN stock.lower_circuit END
        AS lower_circuit,
    CASE WHEN stock.circuit_day = (moment AT TIME ZONE 'Asia/Kolkata')::date THEN stock.upper_circuit END
        AS upper_circuit,
    coalesce(position.quantity, 0) AS held, coalesce(position.blocked_margin, 0) AS held_margin,
    (SELECT id FROM trading_order
        WHERE account_id = account.id AND client_order_id = %(client_order_id)s) AS duplicate_of,
    (SELECT coalesce(sum(closing_quantity), 0) FROM trading_order
        WHERE account_id = account.id AND stock_id = stock.id AND product = %(product)s AND side = %(side)s
          AND status IN ('PENDING', 'OPEN')) AS promised
FROM account CROSS JOIN market_now() AS moment
LEFT JOIN stock ON stock.exchange = %(exchange)s AND stock.symbol = %(symbol)s
LEFT JOIN position ON position.account_id = account.id AND position.stock_id = stock.id
    AND position.product = %(product)s
WHERE account.id = %(account_id)s
"""
CREATE_STOCK = """
INSERT INTO stock (id, exchange, symbol) VALUES (%s, %s, %s) ON CONFLICT (exchange, symbol) DO NOTHING
"""
WRITE = """
SELECT (placed).*, reserve_ms, order_ms, ledger_ms
FROM order_write(%(id)s, %(account_id)s, %(stock_id)s, %(exchange)s, %(symbol)s, %(client_order_id)s, %(side)s,
                 %(product)s, %(order_type)s, %(quantity)s, %(price)s, %(trigger_price)s, %(validity)s,
                 %(validity_minutes)s, %(market_protection)s, %(after_market)s, %(tag)s, %(fill_model)s,
                 %(limit_fills)s, %(ends_at)s, %(closing_quantity)s, %(blocked_margin)s, %(charges)s,
                 %(charge_items)s, %(scope)s, %(key)s, %(fingerprint)s, %(waits)s)
"""
WRITE_AT_ONCE = """
SELECT (placed).*, stock_ms, reserve_ms, order_ms, ledger_ms
FROM order_at_once(%(id)s, %(account_id)s, %(exchange)s, %(symbol)s, %(client_order_id)s, %(side)s, %(product)s,
                   %(order_type)s, %(quantity)s, %(price)s, %(trigger_price)s, %(validity)s, %(validity_minutes)s,
                   %(market_protection)s, %(after_market)s, %(tag)s, %(limit_fills)s, %(ends_at)s,
                   %(blocked_margin)s, %(charges)s, %(charge_items)s, %(charged_on)s, %(scope)s, %(key)s,
                   %(fingerprint)s)
"""
# Raised by order_at_once, or by a deadlock: the transaction in steps is tried more than once.
IN_STEPS_STATES = RETRIED_STATES | {"TP100"}


def read_state(context: PlacementContext) -> PlacementState:
    """Lock the account, make the stock active again, and return the facts of the decision.

    With a key that was used, return its answer and lock nothing. Raises NotFound.
    """
    state = fetch_one(READ, _asked(context))
    if state is None:
        raise NotFound
    return PlacementState(**state)


def look_at_state(context: PlacementContext) -> PlacementState:
    """Return the facts of a decision at this moment, and lock and write nothing; raises NotFound."""
    with session():
        state = fetch_one(LOOK, _asked(context))
    if state is None:
        raise NotFound
    return PlacementState(**state)


@transactional
def create_stock(exchange: str, symbol: str) -> None:
    """Create a stock that does not exist."""
    execute(CREATE_STOCK, (new_id(), exchange, symbol))


def write_order(
    context: PlacementContext, state: PlacementState, decision: Decision, ends_at: datetime | None, *, waits: bool
) -> OrderRow:
    """Reserve margin, debit charges, insert the order and its ledger entries, and return the order's row.

    The order expires at ends_at, or when its minutes are over. An order that waits for its session has no worker that
    is due, and expires at ends_at.
    """
    written = {
        "id": new_id(),
        "stock_id": state.stock_id,
        "fill_model": state.fill_model,
        "closing_quantity": decision.closing_quantity,
        "ends_at": ends_at,
        "waits": waits,
    }
    order = fetch_one(WRITE, _asked(context) | _decided(decision) | written)
    assert order is not None
    return _without_timings(order, ("reserve", "order", "ledger"))


def write_order_at_once(
    context: PlacementContext, decision: Decision, charged_on: date, ends_at: datetime | None
) -> OrderRow | None:
    """Check, reserve, debit, insert and commit an order that only opens, in one statement.

    Return None, with nothing done, if the placement is of another kind, is refused, or was answered before:
    the placement in steps tells which.
    """
    watch = stopwatch()
    written = {"id": new_id(), "charged_on": charged_on, "ends_at": ends_at}
    parameters = _asked(context) | _decided(decision) | written
    watch.mark()
    try:
        with session():
            order = fetch_one(WRITE_AT_ONCE, parameters)
    except (DatabaseError, DatabaseUnavailable) as error:
        if sqlstate(error) in IN_STEPS_STATES:
            return None
        raise
    assert order is not None
    inside_ms = sum(order[f"{step}_ms"] for step in ("stock", "reserve", "order", "ledger"))
    watch.lap("commit")
    watch.record("commit", watch.steps["commit"] - inside_ms)
    return _without_timings(order, ("stock", "reserve", "order", "ledger"))


def _asked(context: PlacementContext) -> dict[str, Any]:
    request, key = context.request, context.idempotency_key
    return {
        "account_id": context.account_id,
        "exchange": request.exchange,
        "symbol": request.symbol,
        "client_order_id": request.client_order_id,
        "side": request.side,
        "product": request.product,
        "order_type": request.order_type,
        "quantity": request.quantity,
        "price": request.price,
        "trigger_price": request.trigger_price,
        "validity": request.validity,
        "validity_minutes": request.validity_minutes,
        "market_protection": request.market_protection,
        "after_market": request.after_market,
        "tag": request.tag,
        "limit_fills": context.fills.limit_fills,
        "max_quote_age_s": context.fills.max_quote_age_s,
        "scope": key and key.scope,
        "key": key and key.key,
        "fingerprint": key and key.fingerprint,
    }


def _decided(decision: Decision) -> dict[str, Any]:
    return {
        "blocked_margin": decision.margin,
        "charges": decision.charges.total,
        "charge_items": decision.charges.as_json(),
    }


def _without_timings(order: Row, steps: Iterable[str]) -> OrderRow:
    """Move the lengths of the steps, which the database has measured, from the row to the stopwatch."""
    watch = stopwatch()
    for step in steps:
        watch.record(step, order.pop(f"{step}_ms"))
    return cast(OrderRow, order)
