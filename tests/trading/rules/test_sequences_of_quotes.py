"""An order meets many quotes: the rules agree with a plain reckoning that knows no numbers and no watches."""

from dataclasses import replace
from decimal import Decimal
from random import Random

import pytest

from tests.trading.rules.market_values import QUOTED_AT
from trading.rules.matching import first_look, on_quote
from trading.rules.quotes import Quote
from trading.rules.resting import RestingOrder

LENGTH = 8  # quotes
SEEDS = range(3000)  # far fewer miss some of the rules' borders
PRICES = [Decimal(f"{steps / 10:.2f}") for steps in range(98, 103)]  # so few that they often meet
NONE_TOO = [*PRICES, None]


def a_feed(random):
    """Return a stock's quotes, numbered as the stock numbers them; a third of them was unusable when it came.

    The first one may be too old when an order is placed, although it was usable when it came.
    """
    found, usable_number = [], 0
    for number in range(1, LENGTH + 1):
        bid, ask, last = random.choice(NONE_TOO), random.choice(NONE_TOO), random.choice(PRICES)
        if bid is not None and ask is not None:
            bid, ask = sorted((bid, ask))
        was_usable = random.random() < 2 / 3
        is_usable = was_usable and (number > 1 or random.random() < 1 / 2)
        new_trade = last if is_usable and random.random() < 1 / 2 else None
        lower, upper = sorted(random.sample(PRICES, 2)) if random.random() < 1 / 4 else (None, None)
        found.append(Quote(number, usable_number, bid, ask, last, QUOTED_AT, is_usable, new_trade, lower, upper))
        usable_number = number if was_usable else usable_number
    return found


def an_order(random, types=("LIMIT", "MARKET", "STOP_LIMIT", "STOP_MARKET")):
    order_type = random.choice(types)
    return RestingOrder(
        side=random.choice(["BUY", "SELL"]),
        order_type=order_type,
        price=random.choice(PRICES) if order_type.endswith("LIMIT") else None,
        trigger_price=random.choice(PRICES) if order_type.startswith("STOP") else None,
    )


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


def test_the_first_quote_that_crosses_an_order_fills_it():
    for seed in SEEDS:
        random = Random(seed)
        order, feed = an_order(random), a_feed(random)
        assert fill_by_the_rules(order, feed) == fill_by_reckoning(order, feed), f"seed {seed}"


@pytest.mark.parametrize("order_type", ["MARKET", "STOP_MARKET"])
def test_a_protected_order_fills_at_its_worst_price_or_better(order_type):
    rules = set()
    for seed in SEEDS:
        random = Random(seed)
        feed = a_feed(random)
        order = replace(an_order(random, (order_type,)), market_protection=Decimal(1))
        filled = fill_by_the_rules(order, feed)
        if filled is None:
            continue
        number, price, rule = filled
        rules.add(str(rule))
        seen = [quote.last for quote in feed if quote.is_usable and quote.number <= number]
        bases = [order.trigger_price] if order_type == "STOP_MARKET" else seen[-1:] if rule == "market" else seen
        sign = 1 if order.side == "BUY" else -1
        assert any(sign * price <= sign * base * (100 + sign) / 100 for base in bases), f"seed {seed}"
    assert rules == {"market", "book", "trade_through"} | ({"stop"} if order_type == "STOP_MARKET" else set())
