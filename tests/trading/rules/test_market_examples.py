"""The worked examples of docs/market.md, as far as they are rules; account 100,000.00, INTRADAY, NSE."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from tests.trading.rules.market_values import order, quote
from trading.rules import day_figures, fills, settlement
from trading.rules.charges import charges_for
from trading.rules.day_figures import DayFigures
from trading.rules.fills import Holding
from trading.rules.margin import margin_for
from trading.rules.matching import first_look, on_quote
from trading.rules.money import average_price
from trading.rules.quotes import outcome_of
from trading.rules.reservation import assumed_price
from trading.rules.sessions import TradingDays, default_sessions
from trading.rules.settlement import Buckets
from trading.rules.valuation import unrealized_pnl

D = Decimal
PAGE = Path(__file__).parents[3] / "docs" / "market.md"
NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


def charges(side, quantity, price, product="INTRADAY"):
    turnover = D(price) * quantity
    return charges_for(exchange="NSE", product=product, side=side, turnover=turnover, on=date(2026, 11, 23)).total


def margin(quantity, price):
    return margin_for("INTRADAY", D(price), quantity)


def fill(verdict):
    return str(verdict.fill_price), str(verdict.rule)


def open_order(kind, seen):
    """Return the order as it rests after its first look at a quote."""
    verdict = first_look(kind, seen)
    assert not verdict.fills
    return replace(kind, opened_number=verdict.opened_number, is_triggered=verdict.triggers)


def test_1_a_limit_that_the_ask_has_reached_fills_at_the_ask_and_gives_the_rest_back():
    kind, seen = order("BUY", "LIMIT", "105.00"), quote("99.95/100.00/99.98")
    reserved = assumed_price(kind, seen, opens=True)
    assert (margin(100, reserved), charges("BUY", 100, reserved)) == (D("2100.00"), D("4.43"))
    filled = first_look(kind, seen)
    assert fill(filled) == ("100.00", "first_look")
    assert margin(100, reserved) - margin(100, filled.fill_price) == D("100.00")
    final = charges("BUY", 100, filled.fill_price)
    assert charges("BUY", 100, reserved) - final == D("0.21")
    assert D("100000.00") - margin(100, filled.fill_price) - final == D("97995.78")


def test_2_a_resting_limit_fills_at_its_limit_and_the_same_order_placed_later_at_the_ask():
    kind, gap = order("BUY", "LIMIT", "100.00"), quote("96.90/97/97", number=11)
    assert fill(on_quote(open_order(kind, quote("100/101/100.50")), gap)) == ("100.00", "book")
    assert fill(first_look(kind, gap)) == ("97", "first_look")


def test_3_a_stop_market_fills_behind_the_gap_at_the_bid():
    kind = order("SELL", "STOP_MARKET", trigger_price="95.00")
    stop = open_order(kind, quote("99.95/100.05/100.00"))
    filled = on_quote(stop, quote("89.90/90/90", number=11))
    assert (fill(filled), filled.triggers, filled.match_class) == (("89.90", "stop"), True, 0)
    assert (filled.fill_price - D("100.00")) * 100 == D("-1010.00")
    reserved = assumed_price(kind, quote("99.95/100.05/100.00"), opens=False)
    assert charges("SELL", 100, reserved) == D("6.10")
    assert charges("SELL", 100, filled.fill_price) == D("5.78")


def test_4_a_stop_limit_stays_triggered_and_fills_when_the_price_comes_back():
    kind = order("BUY", "STOP_LIMIT", "106.00", trigger_price="105.00")
    stop = open_order(kind, quote("99.95/100.05/100.00"))
    first = on_quote(stop, quote("106.50/107/105.50", number=11))
    assert (first.triggers, first.fills, first.watch_price) == (True, False, D("106.00"))
    later = on_quote(replace(stop, is_triggered=True), quote("104/104.10/104", number=12))
    assert (fill(later), later.triggers) == (("106.00", "book"), False)


def test_5_a_bid_below_the_trigger_does_not_trigger():
    stop = open_order(order("SELL", "STOP_MARKET", trigger_price="95.00"), quote("99.95/100.05/100.00"))
    verdict = on_quote(stop, quote("94/101/100", number=11))
    assert (verdict.triggers, verdict.fills) == (False, False)


def usability(**facts):
    values = {"bid": None, "ask": None, "low": None, "high": None, "is_halted": False, "quoted_at": NOW}
    return outcome_of(**values | facts, now=NOW, max_age_s=60)


def test_6_a_market_order_waits_while_the_last_quote_is_too_old():
    assert usability(last=D("100.00"), quoted_at=NOW - timedelta(seconds=61)) == "too_old"
    old = quote("99.95/100.00/99.98", is_usable=False)
    waiting = first_look(order("BUY", "MARKET"), old)
    assert (waiting.fills, waiting.waiting_for) == (False, "quote")
    blind = open_order(order("BUY", "MARKET"), old)
    assert fill(on_quote(blind, quote("100.10/100.20/100.15", number=11))) == ("100.20", "market")


def test_7_a_last_price_outside_the_day_range_fills_nothing():
    absurd = quote("none/none/1047.60", is_usable=False)
    assert usability(last=D("1047.60"), low=D("1262"), high=D("1345")) == "out_of_day_range"
    waiting = open_order(order("BUY", "MARKET"), absurd)
    assert not on_quote(waiting, absurd).fills
    assert fill(on_quote(waiting, quote("1299/1300/1299.50", number=11))) == ("1300", "market")


def test_8_exactly_the_limits_that_the_ask_reaches_fill_each_at_its_own():
    limits = [open_order(order("BUY", "LIMIT", f"{price}.00"), quote("100/101/101")) for price in range(96, 101)]
    verdicts = [on_quote(kind, quote("97.90/98/98.05", number=11)) for kind in limits]
    assert [fill(verdict)[0] for verdict in verdicts if verdict.fills] == ["98.00", "99.00", "100.00"]


def test_9_at_the_upper_circuit_nobody_sells():
    seen = quote("110.00/none/110.00", lower_circuit="90.00", upper_circuit="110.00")
    assert not first_look(order("BUY", "MARKET"), seen).fills
    assert fill(first_look(order("SELL", "MARKET"), seen)) == ("110.00", "market")


def test_10_an_order_that_opened_blind_fills_at_the_ask_of_its_first_usable_quote():
    blind = open_order(order("BUY", "LIMIT", "215.00"), quote("214/214.10/214", number=10, is_usable=False))
    filled = on_quote(blind, quote("209.90/210.10/210.00", number=11, usable_number=9))
    assert fill(filled) == ("210.10", "first_look")


def test_11_a_sell_limit_that_opens_a_short_reserves_at_the_bid():
    kind = order("SELL", "LIMIT", "100.00")
    assert margin(100, assumed_price(kind, quote("110.00/110.10/110.05"), opens=True)) == D("2200.00")
    filled = first_look(kind, quote("111.00/111.10/111.05"))
    assert fill(filled) == ("111.00", "first_look")
    assert margin(100, filled.fill_price) == D("2220.00")


def test_12_deliveries_settle_over_a_weekend_and_a_holiday():
    friday, monday, tuesday = (date(2026, 11, day) for day in (6, 9, 10))
    wednesday, thursday = date(2026, 11, 11), date(2026, 11, 12)
    days = TradingDays(default_sessions(friday, thursday, {tuesday}), {tuesday})
    terms = {"product": "DELIVERY", "reserved_margin": D(0)}
    buckets = settlement.bought(Buckets(friday), 10)
    held = fills.fill(Holding(), side="BUY", quantity=10, price=D("1000.00"), **terms).holding
    buckets = settlement.bought(settlement.rolled(buckets, monday, days), 10)
    held = fills.fill(held, side="BUY", quantity=10, price=D("1010.00"), **terms).holding
    assert (buckets.today, buckets.t1, average_price(held.cost, held.quantity)) == (10, 10, D("1005.00"))
    buckets = settlement.rolled(buckets, wednesday, days)
    assert (buckets.settled, buckets.t1) == (10, 10)
    sale = fills.fill(held, side="SELL", quantity=15, price=D("1050.00"), **terms)
    assert (sale.profit, sale.margin_change) == (D("675.00"), D("-15075.00"))
    buckets = settlement.sold(buckets, 15)
    assert (buckets.settled, buckets.t1) == (0, 5)
    assert settlement.rolled(buckets, thursday, days).settled == 5
    paid = [charges("BUY", 10, "1000.00", "DELIVERY"), charges("BUY", 10, "1010.00", "DELIVERY")]
    assert [*paid, charges("SELL", 15, "1050.00", "DELIVERY")] == [D("11.88"), D("12.00"), D("16.34")]


def test_13_a_position_that_was_closed_begins_with_a_new_average():
    held = Holding()
    for side, quantity, price in (("BUY", 50, "280.00"), ("SELL", 50, "287.00"), ("BUY", 70, "283.00")):
        terms = {"product": "INTRADAY", "reserved_margin": D(0)}
        held = fills.fill(held, side=side, quantity=quantity, price=D(price), **terms).holding
    assert (held.realized_pnl, average_price(held.cost, held.quantity)) == (D("350.00"), D("283.00"))
    assert unrealized_pnl(held.quantity, held.cost, D("280.00")) == D("-210.00")


def test_14_the_profit_of_a_day_is_that_of_its_trades_and_of_what_was_carried():
    figures = day_figures.filled(DayFigures(date(2026, 11, 9)), "BUY", 5, D("1020.00"))
    figures = day_figures.filled(figures, "SELL", 8, D("1030.00"))
    pnl = day_figures.day_pnl(figures, 7, last_price=D("1025.00"), previous_close=D("1010.00"))
    assert (figures.overnight(7), pnl) == (10, D("215.00"))


def test_each_example_of_the_page_is_a_test():
    numbered = re.findall(r"^\| (\d+) \|", PAGE.read_text(), flags=re.MULTILINE)
    assert numbered == [name.split("_")[1] for name in globals() if re.match(r"test_\d+_", name)]
