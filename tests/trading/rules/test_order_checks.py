"""The checks of an order against its stock."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from trading.rules import errors
from trading.rules.decision import OrderRequest
from trading.rules.order_checks import StockFacts, check_fill_model, check_order

D = Decimal
STOCK = StockFacts(
    last_price=D("100.00"),
    tick_size=D("0.05"),
    lot_size=25,
    lower_circuit=D("90.00"),
    upper_circuit=D("110.00"),
)


def request(side="BUY", order_type="LIMIT", price=None, trigger_price=None, **terms):
    prices = {
        name: None if value is None else D(value)
        for name, value in (("price", price), ("trigger_price", trigger_price))
    }
    return OrderRequest(
        **{"exchange": "NSE", "symbol": "INFY", "side": side, "quantity": 50} | terms, order_type=order_type, **prices
    )


def refusal(asked, stock=STOCK, **facts):
    with pytest.raises(errors.Refused) as refused:
        check_order(asked, stock, fill_model="QUOTES", **facts)
    return refused.value


@pytest.mark.parametrize(
    "asked",
    [
        request(price="100.00"),
        request(price="90.00"),
        request(price="110.00"),
        request("BUY", "MARKET"),
        request("BUY", "STOP_LIMIT", "106.00", "105.00"),
        request("BUY", "STOP_LIMIT", "105.00", "105.00"),
        request("BUY", "STOP_MARKET", None, "100.05"),
        request("SELL", "STOP_LIMIT", "94.00", "95.00"),
        request("SELL", "STOP_LIMIT", "95.00", "95.00"),
        request("SELL", "STOP_MARKET", None, "99.95"),
    ],
)
def test_an_order_that_fits_its_stock_passes(asked):
    check_order(asked, STOCK, fill_model="QUOTES")


@pytest.mark.parametrize(
    ("terms", "fields"),
    [
        ({"order_type": "STOP_MARKET", "trigger_price": "99.00"}, ["orderType", "triggerPrice"]),
        ({"order_type": "STOP_LIMIT", "price": "99.00", "trigger_price": "99.00"}, ["orderType", "triggerPrice"]),
        ({"validity": "IOC", "price": "99.00"}, ["validity"]),
        ({"after_market": True, "price": "99.00"}, ["afterMarket"]),
        ({"order_type": "MARKET", "market_protection": D(1)}, ["marketProtection"]),
    ],
)
def test_immediate_orders_neither_rest_nor_trigger(terms, fields):
    for check in (
        lambda: check_fill_model(request(**terms), "IMMEDIATE"),
        lambda: check_order(request(**terms), STOCK, fill_model="IMMEDIATE"),
    ):
        with pytest.raises(errors.NotSimulated) as refused:
            check()
        assert refused.value.details == {"fields": fields}
    check_fill_model(request(**terms), "QUOTES")


def test_the_facts_of_the_stock_do_not_bind_immediate_orders():
    facts = StockFacts(
        tick_size=D("0.05"), lot_size=25, allows_intraday=False, lower_circuit=D(900), upper_circuit=D(999)
    )
    check_order(request(price="99.99", quantity=7, tag="mine"), facts, fill_model="IMMEDIATE")


def test_a_stock_may_be_for_delivery_only():
    stock = replace(STOCK, allows_intraday=False)
    assert isinstance(refusal(request(price="100.00"), stock), errors.IntradayNotAllowed)
    check_order(request(price="100.00", product="DELIVERY"), stock, fill_model="QUOTES")


def test_a_quantity_is_of_whole_lots():
    found = refusal(request(price="100.00", quantity=60))
    assert isinstance(found, errors.QuantityOffLot)
    assert found.details == {"lot_size": 25}
    check_order(request(price="100.00", quantity=60), replace(STOCK, lot_size=None), fill_model="QUOTES")


def test_an_order_that_only_closes_locks_nobody_in():
    stock = replace(STOCK, allows_intraday=False)
    check_order(request("SELL", "MARKET", quantity=7), stock, fill_model="QUOTES", only_closes=True)


@pytest.mark.parametrize(
    ("asked", "field", "lower", "upper"),
    [
        (request(price="100.03"), "price", "100.00", "100.05"),
        (request("BUY", "STOP_LIMIT", "106.00", "105.99"), "triggerPrice", "105.95", "106.00"),
        (request("SELL", "STOP_MARKET", None, "95.01"), "triggerPrice", "95.00", "95.05"),
        (request(price="0.04"), "price", None, "0.05"),
    ],
)
def test_a_price_off_the_tick_is_refused_with_its_neighbours(asked, field, lower, upper):
    found = refusal(asked)
    assert isinstance(found, errors.PriceOffTick)
    neighbours = {"lower_price": lower and D(lower), "upper_price": D(upper)}
    assert found.details == {"field": field, "tick_size": D("0.05")} | neighbours
    with pytest.raises(errors.PriceOutsideBand):
        check_order(request(price="0.04"), replace(STOCK, tick_size=None), fill_model="QUOTES")


@pytest.mark.parametrize(("side", "price", "trigger_price"), [("BUY", "105.00", "105.05"), ("SELL", "95.00", "94.95")])
def test_a_trigger_beyond_its_limit_is_refused(side, price, trigger_price):
    found = refusal(request(side, "STOP_LIMIT", price, trigger_price))
    assert isinstance(found, errors.TriggerBeyondPrice)
    assert found.details == {"trigger_price": D(trigger_price), "price": D(price)}


@pytest.mark.parametrize(
    "asked",
    [
        request("BUY", "MARKET"),
        request("BUY", "STOP_MARKET", None, "105.00"),
        request("BUY", "STOP_LIMIT", "106.00", "105.00"),
    ],
)
def test_an_order_that_needs_the_last_price_is_refused_without_one(asked):
    assert isinstance(refusal(asked, replace(STOCK, last_price=None)), errors.NoPrice)
    assert isinstance(refusal(asked, StockFacts()), errors.NoPrice)


def test_a_limit_order_needs_no_last_price():
    check_order(request(price="100.00"), replace(STOCK, last_price=None), fill_model="QUOTES")
    check_order(request(price="0.01", quantity=1), StockFacts(), fill_model="QUOTES")


@pytest.mark.parametrize(
    ("side", "trigger_price"), [("BUY", "100.00"), ("BUY", "99.95"), ("SELL", "100.00"), ("SELL", "100.05")]
)
def test_a_trigger_that_the_last_price_has_reached_is_refused(side, trigger_price):
    found = refusal(request(side, "STOP_MARKET", None, trigger_price))
    assert isinstance(found, errors.TriggerOnWrongSide)
    assert found.details == {"trigger_price": D(trigger_price), "last_price": D("100.00")}


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (request(price="89.95"), "price"),
        (request(price="110.05"), "price"),
        (request("BUY", "STOP_MARKET", None, "110.05"), "triggerPrice"),
        (request("BUY", "STOP_LIMIT", "110.05", "110.00"), "price"),
    ],
)
def test_a_price_outside_the_circuits_is_refused(asked, field):
    found = refusal(asked)
    assert isinstance(found, errors.PriceOutsideBand)
    assert found.details == {"field": field, "lower_circuit": D("90.00"), "upper_circuit": D("110.00")}


def test_one_known_circuit_is_enough():
    for asked, stock in (
        (request(price="110.05"), replace(STOCK, lower_circuit=None)),
        (request(price="89.95"), replace(STOCK, upper_circuit=None)),
    ):
        assert isinstance(refusal(asked, stock), errors.PriceOutsideBand)


def test_the_trigger_of_a_triggered_stop_is_not_judged_again():
    check_order(request("BUY", "STOP_MARKET", None, "95.03"), STOCK, fill_model="QUOTES", is_triggered=True)
    check_order(request("BUY", "STOP_LIMIT", "101.00", "105.00"), STOCK, fill_model="QUOTES", is_triggered=True)
    found = refusal(request("BUY", "STOP_LIMIT", "101.03", "105.00"), is_triggered=True)
    assert isinstance(found, errors.PriceOffTick)


def test_the_first_fault_of_several_is_told():
    bad = request("BUY", "STOP_LIMIT", "89.01", "89.02", quantity=7)
    stock = replace(STOCK, allows_intraday=False, last_price=None)
    found = []
    for cure_request, cure_stock in [
        ({}, {"allows_intraday": True}),
        ({"quantity": 25}, {}),
        ({"price": D("89.00"), "trigger_price": D("89.05")}, {}),
        ({"price": D("89.05")}, {}),
        ({}, {"last_price": D("100.00")}),
        ({}, {"last_price": D("89.00")}),
        ({"price": D("90.00"), "trigger_price": D("90.00")}, {}),
    ]:
        found.append(type(refusal(bad, stock)))
        bad, stock = replace(bad, **cure_request), replace(stock, **cure_stock)
    check_order(bad, stock, fill_model="QUOTES")
    assert found == [
        errors.IntradayNotAllowed,
        errors.QuantityOffLot,
        errors.PriceOffTick,
        errors.TriggerBeyondPrice,
        errors.NoPrice,
        errors.TriggerOnWrongSide,
        errors.PriceOutsideBand,
    ]


def test_the_facts_of_a_stock_are_read_from_its_row():
    day = date(2026, 11, 23)
    row = {name: getattr(STOCK, name) for name in StockFacts.__slots__} | {"circuit_day": day, "symbol": "INFY"}
    assert StockFacts.of_row(row, day=day) == STOCK
    for other in (date(2026, 11, 24), None):
        assert StockFacts.of_row(row, day=other) == replace(STOCK, lower_circuit=None, upper_circuit=None)
    assert StockFacts.of_row(row | {"circuit_day": None}, day=None).upper_circuit is None
