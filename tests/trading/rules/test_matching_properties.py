"""What holds for every order and every quote."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.trading.rules.market_values import AXIS, orders, quotes
from trading.rules.matching import crosses_now, first_look, on_quote
from trading.rules.terms import FillRule

JUDGES = st.sampled_from([first_look, on_quote, crosses_now])
OPPOSITE = {"BUY": "SELL", "SELL": "BUY"}
# The rules that fill an order at its own resting price, and those that fill it at the price of its side.
AT_THE_LIMIT = {FillRule.BOOK, FillRule.TRADE_THROUGH, FillRule.TOUCH}
AT_THE_SIDE = {FillRule.FIRST_LOOK, FillRule.MARKET, FillRule.STOP}


def side_of(order, quote):
    return quote.eff_ask if order.buys else quote.eff_bid


def limit_of(order):
    return order.price if order.has_limit else order.protection_price


def is_no_worse(order, price, limit):
    return price <= limit if order.buys else price >= limit


@given(JUDGES, orders(), quotes())
def test_a_fill_is_never_worse_than_the_limit(judge, order, quote):
    verdict = judge(order, quote)
    if verdict.fills and order.has_limit:
        assert is_no_worse(order, verdict.fill_price, order.price)


@given(JUDGES, orders(), quotes())
def test_a_fill_is_at_the_limit_when_resting_and_else_at_a_side_that_was_there(judge, order, quote):
    verdict = judge(order, quote)
    assert verdict.fills == (verdict.rule is not None)
    if verdict.rule in AT_THE_LIMIT:
        assert verdict.fill_price == limit_of(order)
    elif verdict.fills:
        assert verdict.rule in AT_THE_SIDE
        assert verdict.fill_price == side_of(order, quote) is not None


@given(orders(), quotes())
def test_a_fill_of_a_resting_order_has_its_evidence_in_the_quote(order, quote):
    verdict = on_quote(order, quote)
    limit, side, trade = limit_of(order), side_of(order, quote), quote.new_trade
    if verdict.rule == FillRule.BOOK:
        assert side is not None
        assert is_no_worse(order, side, limit)
        assert order.limit_fills != "through" or side != limit
    elif verdict.rule == FillRule.TRADE_THROUGH:
        assert trade != limit
        assert is_no_worse(order, trade, limit)
    elif verdict.rule == FillRule.TOUCH:
        assert (trade, order.limit_fills) == (limit, "touch")


@given(orders(("LIMIT",)), quotes())
def test_a_resting_limit_that_does_not_fill_was_not_reached(order, quote):
    order = replace(order, opened_number=None, limit_fills="book")
    if not on_quote(order, quote).fills and quote.upper_circuit is None:
        side, trade = side_of(order, quote), quote.new_trade
        assert side is None or not is_no_worse(order, side, order.price)
        assert trade is None or trade == order.price or not is_no_worse(order, trade, order.price)


@given(JUDGES, orders(), quotes())
def test_a_protected_market_order_fills_no_worse_than_its_protection(judge, order, quote):
    verdict = judge(order, quote)
    if verdict.fills and order.market_protection is not None:
        base = order.trigger_price if order.order_type == "STOP_MARKET" else quote.last
        allowed = base * (100 + order.market_protection * (1 if order.buys else -1)) / 100
        assert verdict.rule in AT_THE_LIMIT or is_no_worse(order, verdict.fill_price, allowed)


@given(JUDGES, orders(), quotes())
def test_a_fill_lies_within_the_circuits(judge, order, quote):
    verdict = judge(order, quote)
    if verdict.fills and quote.upper_circuit is not None:
        assert quote.lower_circuit <= verdict.fill_price <= quote.upper_circuit


def mirrored_order(order):
    """Return an order of the other side, with its prices mirrored at the axis."""
    flip = {
        name: None if getattr(order, name) is None else AXIS - getattr(order, name)
        for name in ("price", "trigger_price", "protection_price")
    }
    return replace(order, side=OPPOSITE[order.side], **flip)


def mirrored_quote(quote):
    names = {"bid": "ask", "ask": "bid", "last": "last", "new_trade": "new_trade"}
    names |= {"lower_circuit": "upper_circuit", "upper_circuit": "lower_circuit"}
    values = {name: getattr(quote, source) for name, source in names.items()}
    return replace(quote, **{name: None if value is None else AXIS - value for name, value in values.items()})


@given(JUDGES, orders(), quotes())
def test_a_sell_is_the_mirror_of_a_buy(judge, order, quote):
    order = replace(order, market_protection=None)  # a percentage of the price has no mirror
    verdict, mirror = judge(order, quote), judge(mirrored_order(order), mirrored_quote(quote))
    for name in ("rule", "match_class", "triggers", "waiting_for", "opened_number"):
        assert getattr(mirror, name) == getattr(verdict, name)
    assert (mirror.fill_price is None) == (verdict.fill_price is None)
    assert verdict.fill_price is None or mirror.fill_price == AXIS - verdict.fill_price


@given(orders(("LIMIT",)), quotes(), st.integers(0, 12))
def test_a_blind_limit_is_judged_as_at_its_first_look_exactly_while_the_numbers_say_so(order, quote, opened_number):
    blind = replace(order, opened_number=opened_number)
    verdict = on_quote(blind, quote)
    if quote.usable_number <= opened_number:
        kept = None if verdict.fills else opened_number
        assert verdict == replace(first_look(blind, quote), opened_number=kept)
    else:
        assert verdict.rule != FillRule.FIRST_LOOK


@given(JUDGES, orders(("STOP_LIMIT", "STOP_MARKET")), st.lists(quotes(), max_size=6))
def test_a_trigger_fires_at_most_once_and_is_never_unset(judge, order, sequence):
    has_fired = order.is_triggered
    for quote in sequence:
        verdict = judge(order, quote)
        assert not (verdict.triggers and has_fired)
        if has_fired:
            assert verdict.watch_trigger is None
            assert verdict.waiting_for != "trigger"
        has_fired = has_fired or verdict.triggers
        order = replace(order, is_triggered=has_fired, protection_price=verdict.protection_price)


@given(JUDGES, orders(), quotes())
def test_an_order_that_does_not_fill_watches_one_thing(judge, order, quote):
    verdict = judge(order, quote)
    watches = [watch for watch in (verdict.watch_price, verdict.watch_trigger) if watch is not None]
    assert len(watches) == (0 if verdict.fills else 1)
    assert (verdict.waiting_for is None) == verdict.fills


@given(orders(), quotes())
def test_a_quote_that_fills_a_resting_order_reaches_its_watch(order, quote):
    """The indexes find an order by its watch: a fill or a trigger beside it would never be found."""
    resting = on_quote(order, replace(quote, is_usable=False))
    verdict = on_quote(order, quote)
    if verdict.triggers:
        assert is_no_worse(order, resting.watch_trigger, quote.last)
    elif verdict.fills:
        seen = [price for price in (side_of(order, quote), quote.new_trade) if price is not None]
        assert any(is_no_worse(order, price, resting.watch_price) for price in seen)
