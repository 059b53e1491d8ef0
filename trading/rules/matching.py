"""The matching of one order with one quote: whether it fills, at which price and by which rule (docs/market.md)."""

from trading.rules.quotes import Quote
from trading.rules.resting import RestingOrder, Verdict


def first_look(order: RestingOrder, quote: Quote) -> Verdict:
    """Judge an order that a worker opens, after its placement or modification, on the present quote."""
    return Verdict()


def on_quote(order: RestingOrder, quote: Quote) -> Verdict:
    """Judge an OPEN order on a new quote."""
    return Verdict()


def crosses_now(order: RestingOrder, quote: Quote) -> Verdict:
    """Judge an OPEN order on the present quote without its trade: only its two sides and the trigger count."""
    return Verdict()
