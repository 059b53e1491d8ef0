"""An order meets many quotes: the rules agree with a plain reckoning that knows no numbers and no watches."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.trading.rules.market_values import orders, quotes
from trading.rules.matching import first_look, on_quote


@st.composite
def feeds(draw):
    """Draw a stock's quotes, numbered as the stock numbers them, some of them unusable."""
    found, usable_number = [], 0
    for number in range(1, draw(st.integers(2, 8))):
        quote = replace(draw(quotes(number=number)), usable_number=usable_number, is_usable=draw(st.booleans()))
        found.append(quote if quote.is_usable else replace(quote, new_trade=None))
        usable_number = number if quote.is_usable else usable_number
    return found


def fill_by_the_rules(order, feed):
    """Return the number of the quote that fills an order placed at the first one, the price and the rule, or None."""
    verdict = first_look(order, feed[0])
    order = replace(order, opened_number=verdict.opened_number)
    for quote in feed:
        if quote is not feed[0]:
            verdict = on_quote(order, quote)
        if verdict.fills:
            return quote.number, verdict.fill_price, verdict.rule
        if verdict.triggers or verdict.is_news_for(order):
            is_triggered = order.is_triggered or verdict.triggers
            order = replace(order, is_triggered=is_triggered, protection_price=verdict.protection_price)
    return None


def fill_by_reckoning(order, feed):
    """Return the same for an order without protection, told from the page for users."""
    waits = order.order_type.startswith("STOP")
    is_first = True
    sign = 1 if order.side == "BUY" else -1
    for quote in [quote for quote in feed if quote.is_usable]:
        last, low, high = quote.last, quote.lower_circuit, quote.upper_circuit
        book = (quote.bid, quote.ask) if quote.bid or quote.ask else (last, last)
        side = book[1] if order.side == "BUY" else book[0]
        just_triggered = waits and sign * last >= sign * order.trigger_price
        if waits and not just_triggered:
            continue
        waits, is_first = False, is_first or just_triggered
        price = rule = None
        if order.price is None:
            price, rule = side, "stop" if just_triggered else "market"
        elif is_first:
            price = side if side is not None and sign * side <= sign * order.price else None
            rule = "first_look"
        elif side is not None and sign * side <= sign * order.price:
            price, rule = order.price, "book"
        elif quote.new_trade is not None and sign * quote.new_trade < sign * order.price:
            price, rule = order.price, "trade_through"
        is_first = False
        if price is not None and (low is None or low <= price <= high):
            return quote.number, price, rule
    return None


@given(orders(), feeds())
def test_the_first_quote_that_crosses_an_order_fills_it(order, feed):
    plain = {"market_protection": None, "protection_price": None, "opened_number": None, "limit_fills": "book"}
    order = replace(order, is_triggered=False, **plain)
    assert fill_by_the_rules(order, feed) == fill_by_reckoning(order, feed)


@given(orders(("MARKET", "STOP_MARKET")), feeds())
def test_a_protected_order_meets_its_quotes_at_its_protection_price_or_better(order, feed):
    order = replace(order, is_triggered=False, protection_price=None, opened_number=None)
    if order.market_protection is None or (filled := fill_by_the_rules(order, feed)) is None:
        return
    number, price, _ = filled
    if order.order_type == "STOP_MARKET":
        bases = [order.trigger_price]
    else:  # the quote of the look that gave it its protection
        bases = [quote.last for quote in feed if quote.is_usable and quote.number <= number]
    sign = 1 if order.side == "BUY" else -1
    assert any(sign * price <= sign * base * (100 + sign * order.market_protection) / 100 for base in bases)
