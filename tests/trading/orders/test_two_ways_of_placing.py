"""Placing at once and placing in steps have the same result: the database repeats rules of trading.rules."""

from datetime import datetime
from decimal import Decimal
from itertools import product

import pytest

from runtime.timing import timed
from tests.support.trading import account_now, hold, ledger_of, place
from tests.trading.orders import quotes_account
from trading.accounts import administration
from trading.market.stocks import import_stocks
from trading.orders import placement
from trading.rules.decision import OrderRequest, decide
from trading.rules.errors import Refused
from trading.rules.margin import margin_for
from trading.rules.sessions import INDIAN_TIME
from trading.upkeep import verify

PRICE = Decimal("100.00")
HELD = {"INTRADAY": (-10, 0, 10), "DELIVERY": (0, 10)}
CASES = [
    (product_name, held, side, quantity)
    for product_name, side, quantity in product(HELD, ("BUY", "SELL"), (5, 15))
    for held in HELD[product_name]
]
COMPARED = ("quantity", "closing_quantity", "blocked_margin", "charges", "charge_items", "status")


@pytest.fixture
def trader_with(account):
    """Return a function that opens an account with a holding and leaves it an available margin."""

    import_stocks([("NSE", "RELIANCE")])

    def make(product_name, held, available):
        trader = account("1000000.00").id
        if held:
            hold(trader, "BUY" if held > 0 else "SELL", abs(held), PRICE, product=product_name)
        administration.move_funds(trader, "WITHDRAWAL", account_now(trader)["available_margin"] - available)
        return trader

    return make


def placed(trader, product_name, side, quantity):
    """Place an order; return its amounts or its refusal, with the account's sums, and whether it went in steps."""
    with timed() as watch:
        try:
            order = place(trader, side, quantity, PRICE, product=product_name)
            result = {name: order[name] for name in COMPARED}, ledger_of(order)
        except Refused as refusal:
            result = refusal.code, refusal.details
    account = account_now(trader)
    return (*result, account["balance"], account["blocked_margin"]), "session" in watch.steps


ON_QUOTES = [
    ("BUY", "100.00", {}, {}),
    ("BUY", "100.00", {"validity": "GTC"}, {"tick_size": "0.05", "lot_size": 5}),
    ("BUY", "100.00", {"validity": "TTL", "validity_minutes": 5, "tag": "one"}, {"allows_intraday": True}),
    ("BUY", "100.02", {}, {"tick_size": "0.05"}),
    ("BUY", "100.00", {}, {"lot_size": 25}),
    ("BUY", "100.00", {}, {"allows_intraday": False}),
    ("BUY", "100.00", {}, {"upper_circuit": "99.99"}),
    ("BUY", "100.00", {}, {"lower_circuit": "100.01"}),
    ("BUY", "100.00", {}, {"upper_circuit": "100.00", "lower_circuit": "100.00"}),
    ("SELL", "100.00", {}, {}),
]
TERMS = (
    *COMPARED,
    "fill_model",
    "limit_fills",
    "validity",
    "validity_minutes",
    "tag",
    "waiting_for",
    "protection_price",
)


@pytest.mark.parametrize(("side", "price", "terms", "facts"), ON_QUOTES)
def test_both_ways_of_placing_have_the_same_result_on_quotes(account, monkeypatch, side, price, terms, facts):
    quotes_account.quote("99.95", "100.00", "99.98")
    if facts:
        quotes_account.know(**facts)

    def attempt():
        trader = quotes_account.trade_on_quotes(account().id)
        with timed() as watch:
            try:
                order = quotes_account.place(trader, side, 10, price=price, **terms)
                result = {name: order[name] for name in TERMS}, ends_in(order), ledger_of(order)
            except Refused as refusal:
                result = refusal.code, refusal.details
        sums = [account_now(trader)[name] for name in ("balance", "blocked_margin")]
        return (*result, *sums), "session" in watch.steps

    at_once, went_in_steps = attempt()
    monkeypatch.setattr(placement, "place_at_once", lambda _: None)
    assert attempt() == (at_once, True)
    assert went_in_steps == (side == "SELL" or not isinstance(at_once[0], dict))
    assert verify.verify() == []


def ends_in(order):
    """Return the time until an order expires: exact with minutes, and otherwise the midnight itself."""
    if order["validity_minutes"]:
        return order["expires_at"] - order["placed_at"]
    return order["expires_at"]


@pytest.mark.parametrize("spare", ["-0.01", "0.00", "500.00"])
@pytest.mark.parametrize(("product_name", "held", "side", "quantity"), CASES)
def test_both_ways_of_placing_have_the_same_result(trader_with, monkeypatch, product_name, held, side, quantity, spare):
    request = OrderRequest("NSE", "RELIANCE", side, quantity, "LIMIT", PRICE, product_name)
    held_margin = margin_for(product_name, PRICE, abs(held))
    decision = decide(request, held=held, held_margin=held_margin, on=datetime.now(INDIAN_TIME).date())
    available = decision.margin + decision.charges.total + Decimal(spare)
    at_once, went_in_steps = placed(trader_with(product_name, held, available), product_name, side, quantity)
    monkeypatch.setattr(placement, "place_at_once", lambda _: None)
    assert placed(trader_with(product_name, held, available), product_name, side, quantity) == (at_once, True)
    may_close = held * (1 if side == "SELL" else -1) > 0
    sells_shares = (product_name, side) == ("DELIVERY", "SELL")
    assert went_in_steps == (may_close or sells_shares or Decimal(spare) < 0)
    assert verify.verify() == []
