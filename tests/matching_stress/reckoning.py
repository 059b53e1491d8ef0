"""The judgement afterwards: the quote that must have matched an order, found by walking over all kept quotes.

It shares no code with trading.rules, so that an error there is seen here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

STOPS = ("STOP_LIMIT", "STOP_MARKET")


@dataclass(frozen=True, slots=True)
class Tick:
    """A kept quote; `usable_before` is the number of the usable quote before it, `at` the time of its matching."""

    number: int
    usable_before: int
    is_usable: bool
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    new_trade: Decimal | None
    at: datetime
    lower: Decimal | None = None
    upper: Decimal | None = None

    def offer(self, side: str) -> Decimal | None:
        """Return the price at which this side could trade now: the ask for a BUY, the bid for a SELL."""
        if self.bid is None and self.ask is None:
            return self.last
        return self.ask if side == "BUY" else self.bid

    def allows(self, price: Decimal) -> bool:
        """Return True if a price lies within the circuits of the day."""
        return not ((self.lower is not None and price < self.lower) or (self.upper is not None and price > self.upper))


@dataclass(frozen=True, slots=True)
class Terms:
    """An order as it opened; `blind` is the stock's quote number when it opened without a usable quote."""

    side: str
    order_type: str
    price: Decimal | None
    trigger: Decimal | None
    is_triggered: bool
    blind: int | None
    limit_fills: str
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Crossing:
    """The quote that matches an order, with the price and the rule of the fill."""

    number: int
    price: Decimal
    rule: str


@dataclass(frozen=True, slots=True)
class Walk:
    """The outcome of a walk over quotes: the crossing, and the quote that fired the trigger."""

    crossing: Crossing | None
    triggered_by: int | None


def walk(terms: Terms, ticks: Iterable[Tick]) -> Walk:
    """Return the first crossing among the quotes after an opening, and the quote that triggered the order."""
    triggered_by: int | None = None
    for tick in ticks:
        if not tick.is_usable or (terms.expires_at is not None and tick.at >= terms.expires_at):
            continue
        waits = terms.order_type in STOPS and not terms.is_triggered and triggered_by is None
        if waits and not _fires(terms, tick):
            continue
        if waits:
            triggered_by = tick.number
        found = _judge(terms, tick, on_trigger=waits, has_triggered=triggered_by is not None)
        if found is not None and tick.allows(found[0]):
            return Walk(Crossing(tick.number, *found), triggered_by)
    return Walk(None, triggered_by)


def look(terms: Terms, tick: Tick) -> Crossing | None:
    """Return the fill of a first look at a usable quote, or None."""
    if terms.order_type in STOPS and not terms.is_triggered and not _fires(terms, tick):
        return None
    offer = tick.offer(terms.side)
    if offer is None or not tick.allows(offer):
        return None
    if terms.price is not None and not _at_least_as_good(terms.side, offer, terms.price):
        return None
    if terms.order_type == "STOP_MARKET" and not terms.is_triggered:
        return Crossing(tick.number, offer, "stop")
    return Crossing(tick.number, offer, "first_look" if terms.price is not None else "market")


def _fires(terms: Terms, tick: Tick) -> bool:
    if tick.last is None or terms.trigger is None:
        return False
    return tick.last >= terms.trigger if terms.side == "BUY" else tick.last <= terms.trigger


def _judge(terms: Terms, tick: Tick, *, on_trigger: bool, has_triggered: bool) -> tuple[Decimal, str] | None:
    offer = tick.offer(terms.side)
    if terms.price is None:
        return None if offer is None else (offer, "stop" if on_trigger else "market")
    is_first = terms.blind is not None and not has_triggered and tick.usable_before <= terms.blind
    if on_trigger or is_first:
        crosses = offer is not None and _at_least_as_good(terms.side, offer, terms.price)
        return (offer, "first_look") if crosses and offer is not None else None
    return _resting(terms, tick, offer, terms.price)


def _resting(terms: Terms, tick: Tick, offer: Decimal | None, limit: Decimal) -> tuple[Decimal, str] | None:
    by_book = offer is not None and _at_least_as_good(terms.side, offer, limit)
    if terms.limit_fills == "through":
        by_book = by_book and offer != limit
    if by_book:
        return limit, "book"
    if tick.new_trade is None or not _at_least_as_good(terms.side, tick.new_trade, limit):
        return None
    if tick.new_trade != limit:
        return limit, "trade_through"
    return (limit, "touch") if terms.limit_fills == "touch" else None


def _at_least_as_good(side: str, price: Decimal, limit: Decimal) -> bool:
    return price <= limit if side == "BUY" else price >= limit
