"""The price that margin and charges are reserved at."""

from decimal import Decimal

import pytest
from hypothesis import given

from tests.trading.rules.market_values import order, orders, quote, quotes
from trading.rules.decision import OrderRequest
from trading.rules.errors import NoPrice
from trading.rules.reservation import assumed_price
from trading.rules.ticks import protection_cap

D = Decimal
SEEN = quote("99.50/100.50/100.00")


@pytest.mark.parametrize(
    ("kind", "opens", "price"),
    [
        (order("BUY", "LIMIT", "105.00"), True, "105.00"),
        (order("BUY", "LIMIT", "95.00"), True, "95.00"),
        (order("SELL", "LIMIT", "95.00"), True, "99.50"),
        (order("SELL", "LIMIT", "105.00"), True, "105.00"),
        (order("SELL", "LIMIT", "95.00"), False, "95.00"),
        (order("BUY", "STOP_LIMIT", "106.00", trigger_price="105.00"), True, "106.00"),
        (order("SELL", "STOP_LIMIT", "94.00", trigger_price="95.00"), True, "95.00"),
        (order("SELL", "STOP_LIMIT", "94.00", trigger_price="95.00"), False, "94.00"),
        (order("BUY", "STOP_MARKET", trigger_price="105.00"), True, "105.00"),
        (order("SELL", "STOP_MARKET", trigger_price="95.00"), True, "95.00"),
        (order("BUY", "STOP_MARKET", trigger_price="105.00", market_protection="2"), True, "107.10"),
        (order("SELL", "STOP_MARKET", trigger_price="95.00", market_protection="2"), True, "93.10"),
        (order("BUY", "MARKET"), True, "100.50"),
        (order("SELL", "MARKET"), True, "99.50"),
        (order("BUY", "MARKET", market_protection="1"), True, "101.00"),
        (order("SELL", "MARKET", market_protection="1"), False, "99.00"),
    ],
)
def test_an_order_is_reserved_at_the_price_of_its_type(kind, opens, price):
    assert str(assumed_price(kind, SEEN, opens=opens)) == price


@pytest.mark.parametrize(
    ("side", "text", "price"),
    [
        ("BUY", "110.00/none/109.00", "109.00"),
        ("SELL", "none/90.00/91.00", "91.00"),
        ("BUY", "none/none/100.00", "100.00"),
        ("BUY", "99.00/101.00/none", "101.00"),
    ],
)
def test_a_market_order_without_its_side_is_reserved_at_the_last_price(side, text, price):
    assert str(assumed_price(order(side, "MARKET"), quote(text), opens=True)) == price


def test_a_sell_limit_that_opens_is_reserved_at_its_limit_when_nobody_buys():
    assert assumed_price(order("SELL", "LIMIT", "95.00"), quote("none/90/90"), opens=True) == D("95.00")


@pytest.mark.parametrize("seen", [None, quote("none/none/none")])
def test_only_a_market_order_needs_a_quote_for_its_price(seen):
    for protection in (None, "1"):
        with pytest.raises(NoPrice):
            assumed_price(order("BUY", "MARKET", market_protection=protection), seen, opens=True)
    for kind in (
        order("SELL", "LIMIT", "95.00"),
        order("SELL", "STOP_LIMIT", "95.00", trigger_price="95.00"),
        order("SELL", "STOP_MARKET", trigger_price="95.00"),
    ):
        assert assumed_price(kind, seen, opens=True) == D("95.00")


def test_the_request_of_a_client_has_a_price_like_an_order():
    request = OrderRequest("NSE", "INFY", "SELL", 10, "LIMIT", D("95.00"))
    assert assumed_price(request, SEEN, opens=True) == D("99.50")


def test_protection_goes_by_the_tick_of_the_stock():
    seen = quote("99.50/100.50/100.03", tick_size="0.05")
    assert assumed_price(order("BUY", "MARKET", market_protection="1"), seen, opens=True) == D("101.00")
    stop = order("BUY", "STOP_MARKET", trigger_price="105.00", market_protection="1.1")
    assert assumed_price(stop, seen, opens=True) == D("106.15")


@given(orders(), quotes())
def test_an_order_that_opens_is_never_reserved_below_one_that_closes(kind, seen):
    assert assumed_price(kind, seen, opens=True) >= assumed_price(kind, seen, opens=False)


@pytest.mark.parametrize(
    ("side", "base", "percent", "tick_size", "cap"),
    [
        ("BUY", "100.00", "1", None, "101.00"),
        ("BUY", "100.03", "1", None, "101.03"),
        ("BUY", "100.03", "1", "0.05", "101.00"),
        ("BUY", "0.01", "1", "0.05", "0.01"),
        ("BUY", "9000000.00", "50", "0.05", "10000000.00"),
        ("SELL", "100.00", "1", None, "99.00"),
        ("SELL", "100.03", "1", None, "99.03"),
        ("SELL", "100.03", "1", "0.05", "99.05"),
        ("SELL", "0.01", "99.99", "0.05", "0.05"),
    ],
)
def test_protection_is_rounded_to_the_tick_inwards(side, base, percent, tick_size, cap):
    tick = None if tick_size is None else D(tick_size)
    assert str(protection_cap(side, D(base), D(percent), tick)) == cap
