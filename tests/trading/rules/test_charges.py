"""The charges of an order."""

import json
from dataclasses import FrozenInstanceError, replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.rules import charges
from trading.rules.charges import charges_for, unrounded_charges

DAY = date(2026, 11, 20)
PARTS = ("brokerage", "transaction_tax", "exchange_charge", "regulatory_fee", "stamp_duty", "gst")


def on(turnover, *, exchange="NSE", product="INTRADAY", side="BUY", day=DAY):
    return charges_for(exchange=exchange, product=product, side=side, turnover=Decimal(turnover), on=day)


def parts(result):
    return [str(amount) for amount in result.as_dict().values()]


def round_trip(**rest):
    bought, sold = on("400000.00", side="BUY", **rest), on("440000.00", side="SELL", **rest)
    sums = {name: getattr(bought, name) + getattr(sold, name) for name in PARTS}
    return sums, bought.total + sold.total


def test_the_public_intraday_round_trip_on_nse():
    sums, total = round_trip(exchange="NSE", product="INTRADAY")
    assert [str(sums[name]) for name in PARTS] == ["40.00", "110.00", "25.79", "0.84", "12.00", "11.99"]
    assert str(total) == "200.62"


def test_the_public_delivery_round_trip_on_bse():
    sums, total = round_trip(exchange="BSE", product="DELIVERY")
    assert [str(sums[name]) for name in PARTS] == ["0.00", "840.00", "31.50", "0.84", "60.00", "5.82"]
    assert str(total) == "938.16"


@pytest.mark.parametrize(
    ("product", "side", "expected"),
    [
        # brokerage, tax, exchange, SEBI, stamp, GST of 18 % of (30 or 0) + 3.07 + 0.10, unrounded
        ("INTRADAY", "BUY", ["20.00", "0.00", "3.07", "0.10", "3.00", "4.17"]),
        ("INTRADAY", "SELL", ["20.00", "25.00", "3.07", "0.10", "0.00", "4.17"]),
        ("DELIVERY", "BUY", ["0.00", "100.00", "3.07", "0.10", "15.00", "0.57"]),
        ("DELIVERY", "SELL", ["0.00", "100.00", "3.07", "0.10", "0.00", "0.57"]),
    ],
)
def test_each_product_and_side_pays_its_own_charges(product, side, expected):
    assert parts(on("100000.00", product=product, side=side)) == expected


@pytest.mark.parametrize(("exchange", "charge"), [("NSE", "30.70"), ("BSE", "37.50")])
def test_each_exchange_has_its_own_charge(exchange, charge):
    assert str(on("1000000.00", exchange=exchange).exchange_charge) == charge


@pytest.mark.parametrize(
    ("turnover", "brokerage"),
    [
        ("66633.33", "19.99"),
        ("66666.66", "20.00"),
        ("66666.67", "20.00"),
        ("66700.00", "20.00"),
        ("9999999.99", "20.00"),
    ],
)
def test_brokerage_stops_at_twenty_rupees(turnover, brokerage):
    assert str(on(turnover).brokerage) == brokerage


def test_gst_is_computed_from_the_unrounded_charges():
    # exchange 0.026095 and SEBI 0.00085 are taxed 0.0048501; the rounded 0.03 would be taxed 0.0054.
    result = on("850.00", product="DELIVERY")
    assert (str(result.exchange_charge), str(result.gst)) == ("0.03", "0.00")


def test_a_tiny_order_can_have_no_charges():
    assert on("0.05").total == 0


@given(
    st.decimals("0.01", 10**13, places=2), st.sampled_from(["BUY", "SELL"]), st.sampled_from(["DELIVERY", "INTRADAY"])
)
def test_the_total_is_the_sum_of_the_items_with_two_places(turnover, side, product):
    result = on(turnover, side=side, product=product)
    assert result.total == sum(result.as_dict().values())
    assert all(amount >= 0 and amount.as_tuple().exponent == -2 for amount in result.as_dict().values())


def test_the_items_are_exact_numbers_in_json():
    result = on("440000.00", side="SELL")
    assert json.loads(result.as_json(), parse_float=Decimal) == result.as_dict()


def test_the_schedule_in_force_on_the_day_is_used(monkeypatch):
    first = charges.SCHEDULES[0]
    later = replace(first, effective_from=date(2027, 4, 1), regulatory_fee=Decimal("0.01"))
    latest = replace(first, effective_from=date(2028, 4, 1), regulatory_fee=Decimal("0.02"))
    monkeypatch.setattr(charges, "SCHEDULES", (first, latest, later))
    fees = [on("100.00", day=day).regulatory_fee for day in (date(2027, 3, 31), date(2027, 4, 1), date(2028, 4, 1))]
    assert [str(fee) for fee in fees] == ["0.00", "1.00", "2.00"]


def test_before_the_first_schedule_the_first_is_used():
    assert on("100000.00", day=date(2020, 1, 1)) == on("100000.00", day=date(2026, 4, 1))


def test_the_rates_hold_from_their_date_and_cannot_be_changed():
    (schedule,) = charges.SCHEDULES
    assert schedule.effective_from == date(2026, 4, 1)
    with pytest.raises(FrozenInstanceError):
        schedule.gst = Decimal(0)
    for value in (schedule.products["INTRADAY"], on("100.00")):
        with pytest.raises(FrozenInstanceError):
            value.brokerage = Decimal(0)


def test_the_cap_of_the_brokerage_is_exact():
    assert charges.SCHEDULES[0].products["INTRADAY"].brokerage_cap == Decimal("20.00")


def test_the_items_that_are_not_rounded_are_those_of_kites_documented_note():
    # One share of SBIN at 560.00; the exchange's rate is today's, and GST is on the fee of SEBI too.
    turnover = Decimal("560.00")
    exact = unrounded_charges(exchange="NSE", product="DELIVERY", side="BUY", turnover=turnover, on=DAY)
    assert exact.transaction_tax == Decimal("0.56")
    assert exact.regulatory_fee == Decimal("0.00056")
    assert exact.exchange_charge == Decimal("0.017192")
    assert exact.gst == Decimal("0.18") * (exact.exchange_charge + exact.regulatory_fee)
    assert exact.total == sum(exact.as_dict().values())
