"""Money: the funds of the account, and the margins and the charges of orders that are not placed."""

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any

import flask
from flask import Response

from api.dispatching import market
from schemas.kite.margins import basket_of, funds_of, margin_of, no_funds, note_of
from schemas.kite.words import OUR_ORDER_TYPES, OUR_PRODUCTS
from trading.accounts.funds import read_funds
from trading.accounts.portfolio import open_quantities
from trading.market.clock import market_time
from trading.market.stocks import find_stocks
from trading.market.trading_days import trading_days
from trading.rules.decision import MAX_QUANTITY, OrderRequest
from trading.rules.money import ZERO
from trading.rules.order_margins import OrderMargin, assumed_price, basket_margin, order_margin
from trading.rules.sessions import indian_day
from trading.rules.terms import Exchange, Side

from . import forms
from .authentication import account_id, requires
from .envelope import success

blueprint = flask.Blueprint("kite_margins", __name__, url_prefix="/kite")

SEGMENTS = ("equity", "commodity")
MAX_ORDERS = 500
ORDER = ("exchange", "tradingsymbol", "transaction_type", "product", "order_type", "quantity")


@blueprint.get("/user/margins")
@requires("read")
def funds() -> Response:
    """Read the money of the account, all of it for equity."""
    return success({"equity": _equity(), "commodity": no_funds()})


@blueprint.get("/user/margins/<segment>")
@requires("read")
def funds_of_segment(segment: str) -> Response:
    """Read the money of the account for a segment."""
    named = forms.choice({"segment": segment}, "segment", SEGMENTS)
    return success(_equity() if named == "equity" else no_funds())


@blueprint.post("/margins/orders")
@requires("read")
def order_margins() -> Response:
    """Compute the margin that orders would need, each by itself."""
    return success([margin_of(margin) for margin in _margins()])


@blueprint.post("/margins/basket")
@requires("read")
def basket_margins() -> Response:
    """Compute the margin that orders would need together; they close each other and, unless told not to, positions."""
    considers = forms.flag(forms.values(), "consider_positions", default=True)
    margins = _margins()
    held = open_quantities(account_id()) if considers else {}
    initial = sum((margin.margin for margin in margins), ZERO)
    return success(basket_of(margins, initial, basket_margin(margins, held)))


@blueprint.post("/charges/orders")
@requires("read")
def order_charges() -> Response:
    """Compute the charges of orders that were filled at an average price."""
    today, notes = _today(), []
    for entry in _entries():
        margin = order_margin(_order(entry), _average_price(entry), on=today)
        notes.append(note_of(margin, entry.get("variety", "regular")))
    return success(notes)


def _equity() -> dict[str, Any]:
    return funds_of(read_funds(account_id(), trading_days(market()["calendar"])))


def _margins() -> list[OrderMargin]:
    """Return the margins of the orders in the body."""
    orders = [_order(entry) for entry in _entries()]
    stocks = find_stocks((order.exchange, order.symbol) for order in orders)
    last_prices = {(stock["exchange"], stock["symbol"]): stock["last_price"] for stock in stocks}
    today = _today()
    return [
        order_margin(order, assumed_price(order, last_prices.get((order.exchange, order.symbol))), on=today)
        for order in orders
    ]


def _entries() -> list[dict[str, str]]:
    return [forms.texts_of(entry) for entry in forms.json_list(MAX_ORDERS)]


def _order(entry: forms.Values) -> OrderRequest:
    forms.required(entry, *ORDER)
    quantity = forms.whole(entry, "quantity")
    if not quantity or quantity > MAX_QUANTITY:
        raise forms.invalid("quantity")
    return OrderRequest(
        exchange=_word(entry, "exchange", tuple(Exchange)),
        symbol=entry["tradingsymbol"].upper(),
        side=_word(entry, "transaction_type", tuple(Side)),
        quantity=quantity,
        order_type=OUR_ORDER_TYPES[_word(entry, "order_type", OUR_ORDER_TYPES)],
        price=forms.decimal(entry, "price"),
        product=OUR_PRODUCTS[_word(entry, "product", OUR_PRODUCTS)],
        trigger_price=forms.decimal(entry, "trigger_price"),
    )


def _word(entry: forms.Values, name: str, choices: Collection[str]) -> str:
    return str(forms.choice(entry, name, choices))


def _average_price(entry: forms.Values) -> Decimal:
    price = forms.decimal(entry, "average_price")
    if not price:
        raise forms.invalid("average_price")
    return price


def _today() -> date:
    return indian_day(market_time())
