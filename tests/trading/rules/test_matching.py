"""The fill rules F1 to F9, one by one; docs/market.md tells them to users."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.trading.rules.market_values import decimal, order, quote
from trading.rules.matching import crosses_now, first_look, on_quote
from trading.rules.resting import RestingOrder, Verdict

D = Decimal
WIDEST = {"BUY": D("10000000.00"), "SELL": D("0.01")}


def fill(verdict):
    """Return the price and the rule of a fill, None if the order does not fill."""
    return None if verdict.fill_price is None else (str(verdict.fill_price), str(verdict.rule))


def rest(verdict):
    """Return the thing that a resting order waits for, and its two watches."""
    assert not verdict.fills
    return str(verdict.waiting_for), verdict.watch_price, verdict.watch_trigger


# F1: the first look


@pytest.mark.parametrize(
    ("side", "limit", "text", "price"),
    [
        ("BUY", "105.00", "99.95/100.00/99.98", "100.00"),
        ("BUY", "100.00", "99.95/100.00/99.98", "100.00"),
        ("BUY", "99.99", "99.95/100.00/99.98", None),
        ("SELL", "95.00", "99.95/100.00/99.98", "99.95"),
        ("SELL", "99.95", "99.95/100.00/99.98", "99.95"),
        ("SELL", "99.96", "99.95/100.00/99.98", None),
        ("BUY", "100.00", "none/none/99.98", "99.98"),
        ("BUY", "120.00", "110.00/none/110.00", None),
        ("SELL", "80.00", "none/90.00/90.00", None),
    ],
)
def test_a_limit_fills_at_its_first_look_at_the_price_of_the_other_side(side, limit, text, price):
    verdict = first_look(order(side, "LIMIT", limit), quote(text))
    assert fill(verdict) == (None if price is None else (price, "first_look"))


def test_a_new_trade_below_the_limit_does_not_fill_a_first_look():
    verdict = first_look(order("BUY", "LIMIT", "100.00"), quote("99.00/101.00/99.50"))
    assert rest(verdict) == ("price", D("100.00"), None)


@pytest.mark.parametrize("order_type", ["LIMIT", "MARKET"])
@pytest.mark.parametrize(
    "seen", [quote("99.00/101.00/100.00", is_usable=False), quote("99.00/none/99.00"), quote("none/none/none")]
)
def test_an_immediate_or_cancel_order_ends_at_a_first_look_that_does_not_fill_it(order_type, seen):
    price = "100.00" if order_type == "LIMIT" else None
    verdict = first_look(order("BUY", order_type, price, validity="IOC"), seen)
    assert verdict == Verdict(end_reason="ioc")


def test_an_immediate_or_cancel_order_that_fills_does_not_end():
    verdict = first_look(order("BUY", "LIMIT", "101.00", validity="IOC"), quote("99.00/101.00/100.00"))
    assert (fill(verdict), verdict.end_reason) == (("101.00", "first_look"), None)


# Opened blind


@pytest.mark.parametrize(
    ("kind", "watch_price", "watch_trigger"),
    [
        (order("BUY", "LIMIT", "100.00"), "100.00", None),
        (order("BUY", "MARKET"), "10000000.00", None),
        (order("SELL", "MARKET"), "0.01", None),
        (order("BUY", "STOP_LIMIT", "106.00", trigger_price="105.00"), None, "105.00"),
        (order("BUY", "STOP_LIMIT", "106.00", trigger_price="105.00", is_triggered=True), "106.00", None),
        (order("SELL", "STOP_MARKET", trigger_price="95.00"), None, "95.00"),
        (order("SELL", "STOP_MARKET", trigger_price="95.00", is_triggered=True), "0.01", None),
        (order("BUY", "MARKET", market_protection="1", protection_price="101.00"), "10000000.00", None),
    ],
)
def test_an_order_opens_blind_on_an_unusable_quote(kind, watch_price, watch_trigger):
    verdict = first_look(kind, quote("1.00/1.00/105.00", number=7, is_usable=False))
    assert rest(verdict) == ("quote", decimal(watch_price), decimal(watch_trigger))
    assert (verdict.opened_number, verdict.triggers, verdict.protection_price) == (7, False, None)


def test_an_order_that_opens_on_a_usable_quote_is_not_blind():
    for kind in (order("BUY", "LIMIT", "100.00", opened_number=3), order("BUY", "MARKET", opened_number=3)):
        assert first_look(kind, quote("99.00/none/99.00")).opened_number is None


@pytest.mark.parametrize(
    ("usable_number", "filled"),
    [(0, ("99.00", "first_look")), (7, ("99.00", "first_look")), (8, ("100.00", "book"))],
)
def test_a_blind_order_is_at_its_first_look_until_a_usable_quote_came_after_its_opening(usable_number, filled):
    blind = order("BUY", "LIMIT", "100.00", opened_number=7)
    verdict = on_quote(blind, quote("98.90/99.00/98.95", number=9, usable_number=usable_number))
    assert fill(verdict) == filled


def test_a_trade_through_a_blind_order_is_no_fill_at_its_first_quote_and_one_later():
    blind = order("BUY", "LIMIT", "100.00", opened_number=7)
    assert fill(on_quote(blind, quote("99.00/101.00/99.50", number=8, usable_number=5))) is None
    assert fill(on_quote(blind, quote("99.00/101.00/99.50", number=9, usable_number=8))) == ("100.00", "trade_through")


def test_a_blind_stop_that_triggers_later_is_at_its_first_look_whatever_the_numbers():
    blind = order("BUY", "STOP_LIMIT", "106.00", trigger_price="105.00", opened_number=7)
    verdict = on_quote(blind, quote("105.00/105.50/105.20", number=12, usable_number=11))
    assert fill(verdict) == ("105.50", "first_look")
    assert verdict.triggers


def test_a_triggered_stop_limit_that_opened_blind_has_its_first_look_at_the_next_usable_quote():
    blind = order("BUY", "STOP_LIMIT", "106.00", trigger_price="105.00", is_triggered=True, opened_number=7)
    assert fill(on_quote(blind, quote("103/103.50/103", number=8, usable_number=5))) == ("103.50", "first_look")
    assert fill(on_quote(blind, quote("103/103.50/103", number=9, usable_number=8))) == ("106.00", "book")


# F2: resting


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize(
    ("limit_fills", "buy_quote", "sell_quote", "rule"),
    [
        ("book", "99.90/100.00/99.95", "100.00/100.10/100.05", "book"),
        ("book", "96.90/97.00/97.00", "103.00/103.10/103.00", "book"),
        ("book", "99.90/100.01/99.99", "99.99/100.10/100.01", "trade_through"),
        ("book", "99.90/101.00/100.00", "99.00/100.10/100.00", None),
        ("book", "99.90/none/99.99", "none/100.10/100.01", "trade_through"),
        ("book", "none/none/100.00", "none/none/100.00", "book"),
        ("touch", "99.90/101.00/100.00", "99.00/100.10/100.00", "touch"),
        ("touch", "99.90/100.00/100.00", "100.00/100.10/100.00", "book"),
        ("touch", "99.90/101.00/100.01", "99.00/100.10/99.99", None),
        ("through", "99.90/100.00/100.00", "100.00/100.10/100.00", None),
        ("through", "99.90/99.99/100.00", "100.01/100.10/100.00", "book"),
        ("through", "99.90/100.00/99.99", "100.00/100.10/100.01", "trade_through"),
        ("through", "none/none/100.00", "none/none/100.00", None),
    ],
)
def test_a_resting_limit_fills_at_its_limit_by_the_evidence_of_its_setting(
    side, limit_fills, buy_quote, sell_quote, rule
):
    resting = order(side, "LIMIT", "100.00", limit_fills=limit_fills)
    verdict = on_quote(resting, quote(buy_quote if side == "BUY" else sell_quote))
    assert fill(verdict) == (None if rule is None else ("100.00", rule))


@pytest.mark.parametrize("limit_fills", ["book", "touch", "through"])
@pytest.mark.parametrize("last", ["99.50", "100.00"])
def test_an_old_trade_fills_nothing(limit_fills, last):
    resting = order("BUY", "LIMIT", "100.00", limit_fills=limit_fills)
    assert fill(on_quote(resting, quote(f"99.00/101.00/{last}", new_trade=None))) is None


def test_an_unusable_quote_fills_and_triggers_nothing():
    absurd = quote("1.00/1.00/1.00", is_usable=False)
    assert rest(on_quote(order("BUY", "LIMIT", "100.00"), absurd)) == ("price", D("100.00"), None)
    assert rest(on_quote(order("SELL", "STOP_MARKET", trigger_price="95.00"), absurd))[0] == "trigger"
    assert fill(on_quote(order("BUY", "MARKET"), absurd)) is None


# F3: market orders


@pytest.mark.parametrize(("side", "price"), [("BUY", "100.00"), ("SELL", "99.95")])
@pytest.mark.parametrize("judge", [first_look, on_quote])
def test_a_market_order_fills_at_its_side_of_the_book(side, price, judge):
    assert fill(judge(order(side, "MARKET"), quote("99.95/100.00/99.98"))) == (price, "market")


@pytest.mark.parametrize(("side", "text"), [("BUY", "110.00/none/110.00"), ("SELL", "none/90.00/90.00")])
@pytest.mark.parametrize("judge", [first_look, on_quote])
@pytest.mark.parametrize("order_type", ["MARKET", "STOP_MARKET"])
def test_an_order_without_its_side_waits_at_the_widest_watch(side, text, judge, order_type):
    stop = {"trigger_price": "100.00", "is_triggered": True} if order_type == "STOP_MARKET" else {}
    assert rest(judge(order(side, order_type, **stop), quote(text))) == ("quote", WIDEST[side], None)


# F4: stops


@pytest.mark.parametrize("judge", [first_look, on_quote, crosses_now])
@pytest.mark.parametrize("new_trade", [None, "95.00"])
@pytest.mark.parametrize(
    ("side", "last", "fires"),
    [
        ("SELL", "95.01", False),
        ("SELL", "95.00", True),
        ("SELL", "90.00", True),
        ("BUY", "94.99", False),
        ("BUY", "95.00", True),
        ("BUY", "99.00", True),
    ],
)
def test_a_stop_is_triggered_by_the_last_price_new_or_not(judge, new_trade, side, last, fires):
    verdict = judge(
        order(side, "STOP_MARKET", trigger_price="95.00"), quote(f"94.50/95.50/{last}", new_trade=new_trade)
    )
    assert verdict.triggers is fires
    if fires:
        assert fill(verdict) == ("94.50" if side == "SELL" else "95.50", "stop")
        assert verdict.match_class == 0
    else:
        assert rest(verdict) == ("trigger", None, D("95.00"))


def test_the_book_triggers_no_stop():
    verdict = on_quote(order("SELL", "STOP_MARKET", trigger_price="95.00"), quote("94.00/101.00/100.00"))
    assert (verdict.triggers, fill(verdict)) == (False, None)


@pytest.mark.parametrize("judge", [first_look, on_quote])
def test_a_stop_limit_is_at_its_first_look_on_the_quote_that_triggers_it(judge):
    stop = order("BUY", "STOP_LIMIT", "106.00", trigger_price="105.00")
    within = judge(stop, quote("105.00/105.50/105.00"))
    assert (within.triggers, fill(within), within.match_class) == (True, ("105.50", "first_look"), 0)
    beyond = judge(stop, quote("106.50/107.00/105.50"))
    assert (beyond.triggers, rest(beyond), beyond.match_class) == (True, ("price", D("106.00"), None), 0)


def test_a_triggered_stop_limit_rests_like_a_limit_and_its_trigger_is_not_judged_again():
    stop = order("BUY", "STOP_LIMIT", "106.00", trigger_price="105.00", is_triggered=True)
    verdict = on_quote(stop, quote("104.00/104.10/104.00"))
    assert (verdict.triggers, fill(verdict), verdict.match_class) == (False, ("106.00", "book"), 1)


def test_a_triggered_stop_market_that_fills_later_is_a_market_order():
    stop = order("SELL", "STOP_MARKET", trigger_price="95.00", is_triggered=True)
    verdict = on_quote(stop, quote("96.00/96.10/96.00"))
    assert (fill(verdict), verdict.match_class) == (("96.00", "market"), 1)


def test_a_stop_market_that_triggers_without_its_side_waits_for_it():
    verdict = on_quote(order("SELL", "STOP_MARKET", trigger_price="95.00"), quote("none/90.00/90.00"))
    assert (verdict.triggers, rest(verdict), verdict.match_class) == (True, ("quote", D("0.01"), None), 0)


# Market protection


@pytest.mark.parametrize("judge", [first_look, on_quote])
@pytest.mark.parametrize(
    ("side", "text", "tick_size", "filled", "cap"),
    [
        ("BUY", "100.00/101.00/100.00", None, "101.00", None),
        ("BUY", "100.00/101.01/100.00", None, None, "101.00"),
        ("BUY", "100.00/101.50/100.03", None, None, "101.03"),
        ("BUY", "100.00/101.50/100.03", "0.05", None, "101.00"),
        ("SELL", "99.00/99.50/100.00", None, "99.00", None),
        ("SELL", "98.99/99.50/100.00", None, None, "99.00"),
        ("SELL", "98.00/99.50/100.03", None, None, "99.03"),
        ("SELL", "98.00/99.50/100.03", "0.05", None, "99.05"),
    ],
)
def test_a_protected_market_order_fills_within_its_protection_or_rests_there(judge, side, text, tick_size, filled, cap):
    verdict = judge(order(side, "MARKET", market_protection="1"), quote(text, tick_size=tick_size))
    if filled:
        assert fill(verdict) == (filled, "market")
    else:
        assert rest(verdict) == ("price", D(cap), None)
        assert str(verdict.protection_price) == cap


def test_a_protected_market_order_that_rests_fills_at_its_protection_price_by_the_rules_of_a_limit():
    resting = order("BUY", "MARKET", market_protection="1", protection_price="101.00")
    assert fill(on_quote(resting, quote("99.00/99.10/99.00"))) == ("101.00", "book")
    assert fill(on_quote(resting, quote("100.00/102.00/100.50"))) == ("101.00", "trade_through")
    above = on_quote(resting, quote("101.00/101.10/101.05"))
    assert (rest(above), above.protection_price) == (("price", D("101.00"), None), D("101.00"))
    assert not above.is_news_for(resting)


def test_a_modified_protected_order_takes_its_protection_from_the_quote_of_its_new_look():
    resting = order("BUY", "MARKET", market_protection="1", protection_price="101.00")
    assert fill(first_look(resting, quote("104.00/105.00/104.50"))) == ("105.00", "market")


def test_a_protected_stop_market_measures_from_its_trigger():
    stop = order("SELL", "STOP_MARKET", trigger_price="95.00", market_protection="2")
    assert fill(on_quote(stop, quote("93.10/93.20/93.15"))) == ("93.10", "stop")
    gap = on_quote(stop, quote("89.90/90.00/90.00"))
    assert (gap.triggers, rest(gap), str(gap.protection_price)) == (True, ("price", D("93.10"), None), "93.10")
    assert gap.is_news_for(stop)


def test_a_protection_price_stays_a_price():
    cheap = order("BUY", "MARKET", market_protection="50")
    verdict = first_look(cheap, quote("0.01/0.05/0.01", tick_size="0.05"))
    assert verdict.protection_price == D("0.01")
    dear = order("BUY", "STOP_MARKET", trigger_price="9000000.00", market_protection="100")
    assert first_look(dear, quote("9000000/10000000.01/9000000")).protection_price == D("10000000.00")
    sold = order("SELL", "MARKET", market_protection="99.99")
    assert fill(first_look(sold, quote("0.01/0.02/0.01"))) == ("0.01", "market")


# F8: circuits


@pytest.mark.parametrize("judge", [first_look, on_quote])
@pytest.mark.parametrize(
    ("kind", "text", "waits"),
    [
        (order("BUY", "LIMIT", "115.00"), "109.00/111.00/110.00", ("price", "115.00")),
        (order("SELL", "LIMIT", "85.00"), "89.00/91.00/90.00", ("price", "85.00")),
        (order("BUY", "MARKET"), "109.00/111.00/110.00", ("quote", "10000000.00")),
        (order("SELL", "MARKET"), "89.00/91.00/90.00", ("quote", "0.01")),
    ],
)
def test_an_order_whose_fill_would_lie_outside_the_circuits_stays_open(judge, kind, text, waits):
    verdict = judge(kind, quote(text, lower_circuit="90.00", upper_circuit="110.00"))
    assert rest(verdict)[:2] == (waits[0], D(waits[1]))
    assert judge(kind, quote(text)).fills


def test_a_fill_on_a_circuit_is_one():
    circuits = {"lower_circuit": "90.00", "upper_circuit": "110.00"}
    assert fill(first_look(order("BUY", "LIMIT", "110.00"), quote("109.00/110.00/109.00", **circuits)))
    assert fill(on_quote(order("SELL", "LIMIT", "90.00"), quote("90.00/91.00/90.00", **circuits)))


def test_a_stop_triggers_although_the_circuits_hold_its_fill_back():
    stop = order("BUY", "STOP_MARKET", trigger_price="109.00")
    verdict = on_quote(stop, quote("109.00/111.00/110.00", lower_circuit="90.00", upper_circuit="110.00"))
    assert (verdict.triggers, rest(verdict)) == (True, ("quote", D("10000000.00"), None))


# The level sweep


def test_a_level_sweep_ignores_the_trade_and_sees_the_book_and_the_trigger():
    resting = order("BUY", "LIMIT", "100.00", limit_fills="touch")
    assert fill(crosses_now(resting, quote("99.00/101.00/99.00"))) is None
    assert fill(crosses_now(resting, quote("99.00/101.00/100.00"))) is None
    assert fill(crosses_now(resting, quote("99.00/100.00/101.00"))) == ("100.00", "book")
    assert crosses_now(order("SELL", "STOP_LIMIT", "94.00", trigger_price="95.00"), quote("90/96/95")).triggers
    assert fill(crosses_now(order("BUY", "MARKET"), quote("99.00/100.00/99.00"))) == ("100.00", "market")
    assert fill(crosses_now(order("BUY", "MARKET"), quote("99.00/none/99.00"))) is None


# What a quote's transaction writes


@pytest.mark.parametrize(
    ("kind", "text", "is_news"),
    [
        (order("BUY", "LIMIT", "100.00"), "99/101/101", False),
        (order("BUY", "LIMIT", "100.00"), "99/100/101", True),
        (order("BUY", "STOP_LIMIT", "100.00", trigger_price="99.00"), "97/98/98", False),
        (order("BUY", "STOP_LIMIT", "100.00", trigger_price="99.00"), "99/101/99", True),
        (order("BUY", "MARKET"), "99/none/99", False),
        (order("BUY", "MARKET", market_protection="1"), "99/none/99", False),
        (order("BUY", "MARKET", market_protection="1"), "99/101/99", True),
    ],
)
def test_a_verdict_is_news_if_the_order_fills_triggers_or_rests_at_its_protection_price(kind, text, is_news):
    assert on_quote(kind, quote(text)).is_news_for(kind) is is_news


def test_a_resting_order_is_read_from_its_row():
    terms = {
        "side": "SELL",
        "order_type": "STOP_MARKET",
        "price": None,
        "trigger_price": D("95.00"),
        "market_protection": D("2.00"),
        "protection_price": D("93.10"),
        "opened_number": 4,
        "limit_fills": "touch",
        "validity": "GTC",
    }
    row = terms | {"triggered_at": None, "quantity": 5}
    assert RestingOrder.of_row(row) == RestingOrder(**terms, is_triggered=False)
    triggered = row | {"triggered_at": datetime(2026, 11, 23, tzinfo=UTC)}
    assert RestingOrder.of_row(triggered) == RestingOrder(**terms, is_triggered=True)


def test_the_level_sweep_leaves_an_order_whose_side_lies_beyond_the_circuits() -> None:
    beyond = quote("102.05/102.10/102.00", lower_circuit=Decimal("98.00"), upper_circuit=Decimal("102.00"))
    sell = order("SELL", "LIMIT", "102.00")
    assert fill(first_look(sell, beyond)) is None
    assert fill(crosses_now(sell, beyond)) is None
    assert fill(on_quote(sell, beyond)) == ("102.00", "book")
