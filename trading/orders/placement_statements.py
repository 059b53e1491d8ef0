"""The statements of a placement: read the facts that it is decided on, and write the decision."""

from collections.abc import Iterable
from datetime import date
from typing import Any, cast
from uuid import UUID

from peewee import DatabaseError

from models.database import RETRIED_STATES, DatabaseUnavailable, Row, fetch_one, session, sqlstate
from models.identifiers import new_id
from models.rows import OrderRow
from runtime.timing import stopwatch
from trading.orders.placement_types import PlacementContext, PlacementState
from trading.rules.decision import Decision
from trading.rules.errors import NotFound

READ = """
SELECT * FROM placement_read(%(account_id)s, %(exchange)s, %(symbol)s, %(side)s, %(product)s,
                             %(client_order_id)s, %(new_stock_id)s, %(scope)s, %(key)s)
"""
# The same without a lock; an unknown stock stays unknown.
LOOK = """
SELECT account.status, account.available_margin, clock_timestamp() AS read_at, stock.last_price,
    coalesce(position.quantity, 0) AS held,
    (SELECT id FROM trading_order
        WHERE account_id = account.id AND client_order_id = %(client_order_id)s) AS duplicate_of,
    (SELECT coalesce(sum(closing_quantity), 0) FROM trading_order
        WHERE account_id = account.id AND stock_id = stock.id AND product = %(product)s AND side = %(side)s
          AND status = 'PENDING') AS promised
FROM account
LEFT JOIN stock ON stock.exchange = %(exchange)s AND stock.symbol = %(symbol)s
LEFT JOIN position ON position.account_id = account.id AND position.stock_id = stock.id
    AND position.product = %(product)s
WHERE account.id = %(account_id)s
"""
WRITE = """
SELECT (placed).*, reserve_ms, order_ms, ledger_ms
FROM placement_write(%(id)s, %(account_id)s, %(stock_id)s, %(exchange)s, %(symbol)s, %(client_order_id)s,
                     %(side)s, %(product)s, %(order_type)s, %(quantity)s, %(price)s, %(closing_quantity)s,
                     %(blocked_margin)s, %(charges)s, %(charge_items)s, %(scope)s, %(key)s, %(fingerprint)s)
"""
WRITE_AT_ONCE = """
SELECT (placed).*, stock_ms, reserve_ms, order_ms, ledger_ms
FROM placement_at_once(%(id)s, %(account_id)s, %(new_stock_id)s, %(exchange)s, %(symbol)s, %(client_order_id)s,
                       %(side)s, %(product)s, %(order_type)s, %(quantity)s, %(price)s, %(blocked_margin)s,
                       %(charges)s, %(charge_items)s, %(charged_on)s, %(scope)s, %(key)s, %(fingerprint)s)
"""
# Raised by placement_at_once, or by a deadlock: the transaction in steps is tried more than once.
IN_STEPS_STATES = RETRIED_STATES | {"TP100"}


def read_state(context: PlacementContext) -> PlacementState:
    """Lock the account, create the stock or make it active again, and return the facts of the decision.

    With a key that was used, return its answer and lock nothing. Raises NotFound.
    """
    state = fetch_one(READ, _asked(context) | {"new_stock_id": new_id()})
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


def write_order(context: PlacementContext, decision: Decision, stock_id: UUID) -> OrderRow:
    """Reserve margin, debit charges, insert the order and its ledger entries, and return the order's row."""
    written = {"id": new_id(), "stock_id": stock_id, "closing_quantity": decision.closing_quantity}
    order = fetch_one(WRITE, _asked(context) | _decided(decision) | written)
    assert order is not None
    return _without_timings(order, ("reserve", "order", "ledger"))


def write_order_at_once(context: PlacementContext, decision: Decision, charged_on: date) -> OrderRow | None:
    """Check, reserve, debit, insert and commit an order that only opens, in one statement.

    Return None, with nothing done, if the placement is of another kind, is refused, or was answered before:
    the placement in steps tells which.
    """
    watch = stopwatch()
    written = {"id": new_id(), "new_stock_id": new_id(), "charged_on": charged_on}
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
