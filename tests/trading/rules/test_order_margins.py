"""The margin of orders that are not placed."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from trading.rules.decision import OrderRequest, decide
from trading.rules.errors import NoPrice
from trading.rules.order_margins import Held, OrderMargin, assumed_price, basket_margin, order_margin

DAY = date(2026, 11, 20)
INFY = Held("NSE", "INFY", "INTRADAY")


def margin_of(
    side: str = "BUY", quantity: int = 10, price: str | None = "100.00", last: str | None = None, **terms: Any
) -> OrderMargin:
    """Return the margin of an order for INFY."""
    limit = None if price is None else Decimal(price)
    terms = {"order_type": "MARKET" if price is None else "LIMIT"} | terms
    order = OrderRequest("NSE", "INFY", side, quantity, price=limit, **terms)
    price_of_order = assumed_price(order, None if last is None else Decimal(last))
    return order_margin(order, price_of_order, on=DAY)


def together(*orders: OrderMargin, **held: int) -> str:
    """Return the margin of orders together, while positions of INFY are held: together(INTRADAY=10)."""
    return str(basket_margin(orders, {Held("NSE", "INFY", product): quantity for product, quantity in held.items()}))


@pytest.mark.parametrize(
    ("product", "side", "margin", "leverage"),
    [
        ("INTRADAY", "BUY", 200, 5),
        ("INTRADAY", "SELL", 200, 5),
        ("DELIVERY", "BUY", 1000, 1),
        ("DELIVERY", "SELL", 0, 1),
    ],
)
def test_the_margin_and_the_leverage_of_a_product(product: str, side: str, margin: int, leverage: int) -> None:
    found = margin_of(side, product=product)
    assert (found.margin, found.leverage) == (margin, leverage)


def test_an_order_that_opens_needs_what_its_placement_would_block() -> None:
    order = OrderRequest("NSE", "INFY", "BUY", 7, order_type="LIMIT", price=Decimal("333.33"))
    decision = decide(order, on=DAY)
    found = order_margin(order, decision.price, on=DAY)
    assert found.margin == decision.margin
    rounded = {name: round(value, 2) for name, value in found.charges.as_dict().items()}
    assert rounded == decision.charges.as_dict()
    assert found.charges.gst != decision.charges.gst


@pytest.mark.parametrize(
    ("terms", "price"),
    [
        ({"price": None}, "101.00"),
        ({"price": "90.00", "order_type": "MARKET"}, "101.00"),
        ({"price": "0"}, "101.00"),
        ({"price": "100.05000000000001"}, "100.05"),
        ({"price": "99.00", "order_type": "STOP_LIMIT", "trigger_price": Decimal("98.00")}, "99.00"),
        ({"price": None, "order_type": "STOP_MARKET", "trigger_price": Decimal("98.00")}, "98.00"),
    ],
)
def test_the_price_is_the_orders_own_or_its_trigger_or_the_last_one(terms: dict[str, Any], price: str) -> None:
    assert str(margin_of(last="101.00", **terms).price) == price


def test_a_market_order_needs_a_last_price() -> None:
    with pytest.raises(NoPrice):
        margin_of(price=None)


def test_orders_that_open_need_the_sum_of_their_margins() -> None:
    assert together(margin_of(), margin_of(price="200.00"), margin_of(product="DELIVERY")) == "1600.00"
    assert together() == "0.00"


def test_orders_of_both_sides_close_each_other() -> None:
    assert together(margin_of(), margin_of("SELL", price="110.00")) == "0.00"
    assert together(margin_of(), margin_of("SELL", 15, "110.00")) == "110.00"
    assert together(margin_of(), margin_of(price="130.00"), margin_of("SELL", 5)) == "345.00"


def test_orders_of_different_products_do_not_close_each_other() -> None:
    assert together(margin_of(), margin_of("SELL", product="DELIVERY")) == "200.00"


def test_orders_close_the_positions_that_are_held() -> None:
    assert together(margin_of("SELL"), INTRADAY=4) == "120.00"
    assert together(margin_of("SELL"), INTRADAY=10) == "0.00"
    assert together(margin_of("SELL"), INTRADAY=-4) == "200.00"
    assert together(margin_of("BUY"), INTRADAY=-4, DELIVERY=10) == "120.00"
