"""The portfolio: positions of the day, holdings, and conversions between MIS and CNC."""

from typing import Any
from uuid import UUID, uuid4

import flask
from flask import Response

from api.dispatching import market
from models.database import session
from schemas.kite.portfolio import compact_holding_of, holding_of, position_of, summary_of
from schemas.kite.words import OUR_PRODUCTS
from trading.accounts.day_book import read_day_book
from trading.accounts.portfolio import PositionFilter, list_position_ids
from trading.day.conversion import convert_position
from trading.market.trading_days import trading_days
from trading.rules.errors import NotConvertible
from trading.rules.holdings import CarriedHolding, summed
from trading.rules.terms import Exchange, Product, Side

from . import forms
from .authentication import account_id, requires
from .envelope import KiteRefusal, success

blueprint = flask.Blueprint("kite_portfolio", __name__, url_prefix="/kite/portfolio")

POSITION_TYPES = ("day", "overnight")
CONVERSION = (
    "exchange",
    "tradingsymbol",
    "transaction_type",
    "position_type",
    "quantity",
    "old_product",
    "new_product",
)


@blueprint.get("/positions")
@requires("read")
def positions() -> Response:
    """List the positions, those that were closed today included: all trades, and those of the day alone."""
    book = read_day_book(account_id(), trading_days(market()["calendar"]))
    net = [position_of(booked.row, booked.position) for booked in book if booked.is_shown]
    day = [position_of(booked.row, booked.position.of_day()) for booked in book if booked.position.has_trades]
    return success({"net": net, "day": day})


@blueprint.put("/positions")
@requires("trade")
def convert() -> Response:
    """Convert bought shares between MIS and CNC."""
    given = forms.values()
    forms.required(given, *CONVERSION)
    position_id, quantity = _converted_position(given), forms.whole(given, "quantity")
    if not quantity:
        raise forms.invalid("quantity")
    convert_position(account_id(), position_id, quantity, calendar=market()["calendar"])
    return success(True)


def _converted_position(given: forms.Values) -> UUID:
    """Return the id of the position to convert, or refuse."""
    old, new = (OUR_PRODUCTS[str(forms.choice(given, name, OUR_PRODUCTS))] for name in ("old_product", "new_product"))
    if old == new:
        raise forms.invalid("new_product")
    is_short = forms.choice(given, "transaction_type", tuple(Side)) == Side.SELL
    is_carried = forms.choice(given, "position_type", POSITION_TYPES) == "overnight"
    exchange = forms.choice(given, "exchange", tuple(Exchange))
    if is_short or (is_carried and old == Product.DELIVERY):
        raise NotConvertible(convertible=0)
    wanted = PositionFilter(exchange, given["tradingsymbol"].upper(), old, is_open=True)
    with session():
        found = list_position_ids(account_id(), wanted)
    if not found:
        raise KiteRefusal("InputException", "There is no such position to convert.")
    return found[0]


@blueprint.get("/holdings")
@requires("read")
def holdings() -> Response:
    """List the shares that were carried into the day."""
    return success([holding_of(row, holding) for row, holding in _holdings()])


@blueprint.get("/holdings/compact")
@requires("read")
def compact_holdings() -> Response:
    """List the quantities that were carried into the day."""
    return success([compact_holding_of(row, holding) for row, holding in _holdings()])


@blueprint.get("/holdings/summary")
@requires("read")
def holdings_summary() -> Response:
    """Sum up the holdings."""
    return success(summary_of(summed([holding for _, holding in _holdings()])))


@blueprint.post("/holdings/authorise")
@requires("trade")
def authorise_holdings() -> Response:
    """Accept the wish to authorise sales at the depository; nothing needs it here."""
    return success({"request_id": uuid4().hex})


def _holdings() -> list[tuple[dict[str, Any], CarriedHolding]]:
    book = read_day_book(account_id(), trading_days(market()["calendar"]))
    return [(booked.row, booked.holding) for booked in book if booked.holding is not None]
