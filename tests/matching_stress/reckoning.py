"""The judgement afterwards: the quote that must have matched an order, found by walking over all kept quotes.

It shares no code with trading.rules, so that an error there is seen here.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

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
    protection: Decimal | None = None  # percent
    cap: Decimal | None = None  # the price at which a protected order rests, once it does

    @property
    def waits_for_trigger(self) -> bool:
        """Return True if this is a stop whose trigger has not fired."""
        return self.order_type in STOPS and not self.is_triggered


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
        fires_now = terms.waits_for_trigger
        if fires_now and not _fires(terms, tick):
            continue
        if fires_now:
            triggered_by, terms = tick.number, replace(terms, is_triggered=True)
        is_first = fires_now or (terms.blind is not None and tick.usable_before <= terms.blind)
        crossing, cap = _judge(terms, tick, is_first=is_first, fires_now=fires_now)
        if crossing is not None:
            return Walk(crossing, triggered_by)
        terms = replace(terms, cap=cap)
    return Walk(None, triggered_by)


def look(terms: Terms, tick: Tick) -> Crossing | None:
    """Return the fill of a first look at a usable quote, or None."""
    fires_now = terms.waits_for_trigger
    if fires_now and not _fires(terms, tick):
        return None
    return _judge(replace(terms, cap=None), tick, is_first=True, fires_now=fires_now)[0]


def _fires(terms: Terms, tick: Tick) -> bool:
    if tick.last is None or terms.trigger is None:
        return False
    return tick.last >= terms.trigger if terms.side == "BUY" else tick.last <= terms.trigger


def _judge(terms: Terms, tick: Tick, *, is_first: bool, fires_now: bool) -> tuple[Crossing | None, Decimal | None]:
    """Return the crossing, and the price at which a protected order rests from now on."""
    offer = tick.offer(terms.side)
    limit = terms.price if terms.price is not None else terms.cap
    if limit is not None and not (is_first and terms.price is not None):
        return _allowed(tick, _resting(terms, tick, offer, limit)), terms.cap
    if offer is None or not tick.allows(offer):
        return None, terms.cap
    if terms.price is not None:
        is_crossed = _at_least_as_good(terms.side, offer, terms.price)
        return (Crossing(tick.number, offer, "first_look") if is_crossed else None), None
    cap = _cap(terms, tick)
    if cap is not None and not _at_least_as_good(terms.side, offer, cap):
        return None, cap
    return Crossing(tick.number, offer, "stop" if fires_now else "market"), None


def _allowed(tick: Tick, found: tuple[Decimal, str] | None) -> Crossing | None:
    return None if found is None or not tick.allows(found[0]) else Crossing(tick.number, *found)


def _cap(terms: Terms, tick: Tick) -> Decimal | None:
    """Return the worst price of a protected order: away from its trigger, or from the last price, rounded inwards."""
    base = terms.trigger if terms.order_type == "STOP_MARKET" else tick.last
    if terms.protection is None or base is None:
        return None
    buys = terms.side == "BUY"
    exact = base * (1 + (terms.protection if buys else -terms.protection) / 100)
    return exact.quantize(Decimal("0.01"), ROUND_FLOOR if buys else ROUND_CEILING)


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
