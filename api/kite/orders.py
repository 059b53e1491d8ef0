"""Orders of Kite's clients: place, modify, cancel; the book of the day, the history of an order, the trades."""

import contextlib

import flask
from flask import Response

from api.dispatching import execute_changed, execute_later, market
from api.http.facts import request_facts
from api.http.observability import timed_placement
from models.rows import OrderRow
from runtime.timing import stopwatch
from schemas.kite.order_history import kite_history
from schemas.kite.orders import id_of, kite_order, kite_trade, variety_of
from trading.orders.cancellation import cancel_order
from trading.orders.modification import modify_order
from trading.orders.order_book import BookedOrder, fills_of_today, find_in_book, history_in_book, orders_of_today
from trading.orders.placement import place_order
from trading.rules.errors import PreconditionFailed
from trading.rules.terms import OrderStatus

from . import forms, order_forms
from .authentication import account_id, requires
from .envelope import success
from .limits import limited_placement
from .order_refusals import (
    modified_too_late,
    modified_too_often,
    order_number,
    refused_outside_band,
    refused_unknown,
    wrong_variety,
)

blueprint = flask.Blueprint("kite_orders", __name__, url_prefix="/kite")

# Kite Connect's documentation, "Exceptions and errors" (read 2026-11).
MAX_MODIFICATIONS = 25
# The market may mark an order between its reading and its modification.
MODIFY_ATTEMPTS = 3


@blueprint.post("/orders/<variety>")
@timed_placement
@requires("trade")
@limited_placement
def place(variety: str) -> Response:
    """Place an order. With autoslice the answer is the same: no quantity of this service needs slices."""
    given = forms.values()
    with stopwatch().step("schema"):
        wanted = request_facts().wanted_order = order_forms.read_order(given, variety)
    with stopwatch().step("place"), refused_outside_band(given):
        order = request_facts().placed_order = place_order(account_id(), wanted, **market()).order
    execute_later(order)
    return _named(order)


@blueprint.put("/orders/<variety>/<order_id>")
@requires("trade")
def modify(variety: str, order_id: str) -> Response:
    """Modify a live order; absent parameters leave its terms as they are."""
    given = forms.values()
    for _ in range(MODIFY_ATTEMPTS):
        with contextlib.suppress(PreconditionFailed):
            order = _modified(_found(order_id, variety), given)
            execute_changed(order)
            return _named(order)
    raise modified_too_late()


@blueprint.delete("/orders/<variety>/<order_id>")
@requires("trade")
def cancel(variety: str, order_id: str) -> Response:
    """Cancel a live order."""
    return _named(cancel_order(account_id(), _found(order_id, variety)["id"]))


@blueprint.get("/orders")
@requires("read")
def list_orders() -> Response:
    """List the orders of the day, oldest first."""
    return success([kite_order(row, row["instrument_token"]) for row in orders_of_today(account_id())])


@blueprint.get("/orders/<order_id>")
@requires("read")
def read_history(order_id: str) -> Response:
    """List the states that an order of the day has passed through, oldest first."""
    with refused_unknown():
        order, events = history_in_book(account_id(), order_number(order_id))
    return success(kite_history(order, events, order["instrument_token"]))


@blueprint.get("/orders/<order_id>/trades")
@requires("read")
def list_trades_of_order(order_id: str) -> Response:
    """List the trades of an order of the day: one once it is filled."""
    row = _found(order_id)
    return success([kite_trade(row, row["instrument_token"])] if row["status"] == OrderStatus.EXECUTED else [])


@blueprint.get("/trades")
@requires("read")
def list_trades() -> Response:
    """List the trades of the day, oldest first."""
    return success([kite_trade(row, row["instrument_token"]) for row in fills_of_today(account_id())])


def _named(order: OrderRow) -> Response:
    return success({"order_id": id_of(order)})


def _found(order_id: str, variety: str | None = None) -> BookedOrder:
    """Return the order of the day with this number, or refuse; with a variety, one of that variety."""
    with refused_unknown():
        order = find_in_book(account_id(), order_number(order_id))
    if variety not in (None, variety_of(order)):
        raise wrong_variety(variety_of(order))
    return order


def _modified(order: BookedOrder, given: forms.Values) -> OrderRow:
    """Return the order after the change that a form asks for; raises PreconditionFailed if it has changed meanwhile."""
    if OrderStatus(order["status"]).is_final:
        raise modified_too_late()
    if order["modifications"] >= MAX_MODIFICATIONS:
        raise modified_too_often()
    change = order_forms.read_change(given, order)
    with refused_outside_band(given):
        return modify_order(account_id(), order["id"], change, **market(), expected_versions={order["version"]})
