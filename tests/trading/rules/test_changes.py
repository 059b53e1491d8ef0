"""The modification of an order."""

from decimal import Decimal

import pytest

from trading.rules.changes import changed_request
from trading.rules.decision import OrderRequest
from trading.rules.errors import PriceNeeded, PriceNotTaken, TriggerNotTaken, TypeNotTaken
from trading.rules.terms import STOPS, OrderType

D = Decimal


def request(order_type, **terms):
    price = D("106.00") if order_type in ("LIMIT", "STOP_LIMIT") else None
    trigger_price = D("105.00") if order_type.startswith("STOP") else None
    return OrderRequest("NSE", "INFY", "BUY", 10, order_type, price, trigger_price=trigger_price, **terms)


ALLOWED = {
    ("LIMIT", "MARKET"),
    ("STOP_LIMIT", "LIMIT"),
    ("STOP_LIMIT", "MARKET"),
    ("STOP_MARKET", "LIMIT"),
    ("STOP_MARKET", "MARKET"),
}


@pytest.mark.parametrize("old", OrderType)
@pytest.mark.parametrize("new", OrderType)
def test_an_order_changes_its_type_towards_the_simpler_one_only(old, new):
    price = D("99.00") if new in ("LIMIT", "STOP_LIMIT") else None
    if old == new or (old, new) in ALLOWED:
        changed = changed_request(request(old), order_type=new, price=price)
        assert (changed.order_type, changed.price) == (new, price)
        assert changed.trigger_price == (D("105.00") if new in STOPS else None)
    else:
        with pytest.raises(TypeNotTaken):
            changed_request(request(old), order_type=new, price=price)


def test_an_order_keeps_the_terms_that_are_not_changed():
    asked = request("STOP_LIMIT", tag="mine", validity="GTC", client_order_id="a")
    assert changed_request(asked) == asked
    changed = changed_request(asked, quantity=7, price=D("107.00"), trigger_price=D("106.00"))
    assert (changed.quantity, changed.price, changed.trigger_price) == (7, D("107.00"), D("106.00"))
    assert (changed.tag, changed.validity, changed.client_order_id) == ("mine", "GTC", "a")


@pytest.mark.parametrize("order_type", ["MARKET", "STOP_MARKET"])
def test_an_order_without_a_limit_takes_no_price(order_type):
    with pytest.raises(PriceNotTaken):
        changed_request(request(order_type), price=D("99.00"))


def test_a_limit_that_becomes_a_market_order_takes_no_price_and_loses_its_own():
    with pytest.raises(PriceNotTaken):
        changed_request(request("LIMIT"), order_type="MARKET", price=D("99.00"))
    assert changed_request(request("LIMIT"), order_type="MARKET").price is None


def test_a_stop_market_that_becomes_a_limit_needs_a_price_and_a_stop_limit_has_one():
    with pytest.raises(PriceNeeded):
        changed_request(request("STOP_MARKET"), order_type="LIMIT")
    assert changed_request(request("STOP_LIMIT"), order_type="LIMIT").price == D("106.00")


@pytest.mark.parametrize("order_type", ["MARKET", "LIMIT"])
def test_only_a_stop_takes_a_trigger(order_type):
    for old in (order_type, "STOP_LIMIT"):
        with pytest.raises(TriggerNotTaken):
            changed_request(request(old), order_type=order_type, trigger_price=D("99.00"))


@pytest.mark.parametrize("order_type", ["STOP_LIMIT", "STOP_MARKET"])
def test_the_trigger_cannot_change_once_it_has_fired(order_type):
    with pytest.raises(TriggerNotTaken):
        changed_request(request(order_type), is_triggered=True, trigger_price=D("104.00"))
    same = changed_request(request(order_type), is_triggered=True, trigger_price=D("105.00"), quantity=7)
    assert (same.trigger_price, same.quantity) == (D("105.00"), 7)


@pytest.mark.parametrize(("new", "kept"), [("MARKET", D(2)), ("LIMIT", None), (None, D(2))])
def test_protection_stays_with_orders_that_have_no_limit(new, kept):
    asked = request("STOP_MARKET", market_protection=D(2))
    price = D("99.00") if new == "LIMIT" else None
    assert changed_request(asked, order_type=new, price=price).market_protection == kept
