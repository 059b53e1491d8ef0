"""The matching of one order with one quote: whether it fills, at which price and by which rule (docs/market.md)."""

from dataclasses import replace
from decimal import Decimal

from trading.rules.money import PAISA
from trading.rules.quotes import Quote
from trading.rules.resting import RestingOrder, Verdict
from trading.rules.terms import EndReason, FillRule, LimitFills, OrderType, Validity, WaitingFor
from trading.rules.ticks import MAX_PRICE, protection_cap


def first_look(order: RestingOrder, quote: Quote) -> Verdict:
    """Judge an order on the present quote: after its placement, its release and each modification.

    On an unusable quote the order opens blind. An IOC order that does not fill ends.
    """
    number = None if quote.is_usable else quote.number
    if order.opened_number != number:
        order = replace(order, opened_number=number)
    verdict = _judge(order, quote, is_first=True) if quote.is_usable else _blind(order)
    if order.validity == Validity.IOC and not verdict.fills:
        return Verdict(end_reason=EndReason.IOC)
    return verdict


def on_quote(order: RestingOrder, quote: Quote) -> Verdict:
    """Judge an OPEN order on a new quote; an unusable quote changes nothing."""
    return _judge(order, quote, is_first=False) if quote.is_usable else _unchanged(order)


def crosses_now(order: RestingOrder, quote: Quote) -> Verdict:
    """Judge an OPEN order on the present quote without its trade: only the two sides and the trigger count.

    A side beyond the circuits crosses nothing: the order's look may have met it and left the order open.
    """
    side = _side_for(order, quote)
    if side is not None and not order.waits_for_trigger and not _is_within_circuits(side, quote):
        return _unchanged(order)
    return on_quote(order, quote if quote.new_trade is None else replace(quote, new_trade=None))


def _judge(order: RestingOrder, quote: Quote, *, is_first: bool) -> Verdict:
    triggers = order.waits_for_trigger
    if triggers and not _fires(order, quote):
        return _unchanged(order)
    is_first = is_first or triggers
    if order.has_limit:
        is_first = is_first or _is_at_its_first_quote(order, quote)
        return (_judge_first if is_first else _judge_resting)(order, _limit_of(order), quote, triggers)
    if order.protection_price is not None and not is_first:
        return _judge_resting(order, order.protection_price, quote, triggers)
    return _judge_market(order, quote, triggers)


def _fires(order: RestingOrder, quote: Quote) -> bool:
    """Return True if the last price has reached the trigger, by a new trade or not."""
    if quote.last is None or order.trigger_price is None:
        return False
    return quote.last >= order.trigger_price if order.buys else quote.last <= order.trigger_price


def _is_at_its_first_quote(order: RestingOrder, quote: Quote) -> bool:
    """Return True if an order that opened blind meets its first usable quote; numbers say so, no row is rewritten."""
    return order.opened_number is not None and quote.usable_number <= order.opened_number


def _judge_first(order: RestingOrder, limit: Decimal, quote: Quote, triggers: bool) -> Verdict:
    """Judge a limit at its first look: it fills at the price of its side."""
    side = _side_for(order, quote)
    if side is not None and _reaches(order, side, limit) and _is_within_circuits(side, quote):
        return _filled(side, FillRule.FIRST_LOOK, triggers)
    return _resting_at(order, limit, triggers)


def _judge_resting(order: RestingOrder, limit: Decimal, quote: Quote, triggers: bool) -> Verdict:
    """Judge an order that rests at a limit: it fills at this limit, never better and never worse."""
    rule = _evidence_at(order, limit, quote)
    if rule is not None and _is_within_circuits(limit, quote):
        return _filled(limit, rule, triggers)
    return _resting_at(order, limit, triggers)


def _evidence_at(order: RestingOrder, limit: Decimal, quote: Quote) -> FillRule | None:
    """Return the rule by which a quote fills an order that rests at a limit, None if it does not."""
    side, trade = _side_for(order, quote), quote.new_trade
    asks_more = order.limit_fills == LimitFills.THROUGH
    if side is not None and (_passes(order, side, limit) if asks_more else _reaches(order, side, limit)):
        return FillRule.BOOK
    if trade is None:
        return None
    if _passes(order, trade, limit):
        return FillRule.TRADE_THROUGH
    return FillRule.TOUCH if trade == limit and order.limit_fills == LimitFills.TOUCH else None


def _judge_market(order: RestingOrder, quote: Quote, triggers: bool) -> Verdict:
    """Judge an order that takes its side's price; without the side it waits, beyond its protection it rests there."""
    side = _side_for(order, quote)
    if side is None or not _is_within_circuits(side, quote):
        return _waiting_for_quote(order, triggers)
    if order.market_protection is not None:
        cap = _cap(order, order.market_protection, quote)
        if cap is None:
            return _waiting_for_quote(order, triggers)
        if not _reaches(order, side, cap):
            return _resting_at(order, cap, triggers)
    return _filled(side, FillRule.STOP if triggers else FillRule.MARKET, triggers)


def _cap(order: RestingOrder, percent: Decimal, quote: Quote) -> Decimal | None:
    """Return the worst price that the order's protection allows, measured from its trigger or from the last price."""
    base = order.trigger_price if order.order_type == OrderType.STOP_MARKET else quote.last
    return None if base is None else protection_cap(order.side, base, percent, quote.tick_size)


def _side_for(order: RestingOrder, quote: Quote) -> Decimal | None:
    return quote.eff_ask if order.buys else quote.eff_bid


def _reaches(order: RestingOrder, price: Decimal, limit: Decimal) -> bool:
    """Return True if a price is as good as the limit or better."""
    return price <= limit if order.buys else price >= limit


def _passes(order: RestingOrder, price: Decimal, limit: Decimal) -> bool:
    """Return True if a price is better than the limit."""
    return price < limit if order.buys else price > limit


def _is_within_circuits(price: Decimal, quote: Quote) -> bool:
    lower, upper = quote.lower_circuit, quote.upper_circuit
    return (lower is None or price >= lower) and (upper is None or price <= upper)


def _limit_of(order: RestingOrder) -> Decimal:
    assert order.price is not None, f"{order.order_type} without a price"
    return order.price


def _filled(price: Decimal, rule: FillRule, triggers: bool) -> Verdict:
    return Verdict(fill_price=price, rule=rule, triggers=triggers, match_class=0 if triggers else 1)


def _resting_at(order: RestingOrder, limit: Decimal, triggers: bool = False) -> Verdict:
    """Return the verdict on an order that rests at a price: its limit, or else its protection price."""
    return Verdict(
        match_class=0 if triggers else 1,
        triggers=triggers,
        watch_price=limit,
        waiting_for=WaitingFor.PRICE,
        protection_price=None if order.has_limit else limit,
        opened_number=order.opened_number,
    )


def _waiting_for_quote(order: RestingOrder, triggers: bool = False) -> Verdict:
    """Return the verdict on an order that takes any price: every quote that has its side reaches the widest watch."""
    return Verdict(
        match_class=0 if triggers else 1,
        triggers=triggers,
        watch_price=MAX_PRICE if order.buys else PAISA,
        waiting_for=WaitingFor.QUOTE,
        opened_number=order.opened_number,
    )


def _unchanged(order: RestingOrder) -> Verdict:
    """Return the verdict on an order as it rests without regard to a quote."""
    if order.waits_for_trigger:
        return Verdict(
            watch_trigger=order.trigger_price, waiting_for=WaitingFor.TRIGGER, opened_number=order.opened_number
        )
    if order.has_limit:
        return _resting_at(order, _limit_of(order))
    if order.protection_price is not None:
        return _resting_at(order, order.protection_price)
    return _waiting_for_quote(order)


def _blind(order: RestingOrder) -> Verdict:
    """Return the verdict on an order whose look finds no usable quote; a later look gives it its protection."""
    return replace(_unchanged(replace(order, protection_price=None)), waiting_for=WaitingFor.QUOTE)
