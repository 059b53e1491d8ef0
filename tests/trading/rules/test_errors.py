"""The refusals and their codes."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from trading.rules import errors

DETAILS = {
    errors.MarketClosed: {"next_open": datetime(2026, 11, 23, tzinfo=UTC)},
    errors.InsufficientMargin: {"required": Decimal("2.00"), "available": Decimal("1.00")},
    errors.DuplicateClientOrderId: {"order_id": uuid4()},
    errors.NotClosable: {"closable": 5},
    errors.NotConvertible: {"convertible": 5},
    errors.OrderNotOpen: {"status": "EXECUTED"},
    errors.UnknownSymbol: {"exchange": "NSE", "symbol": "RELAINCE", "nearest": []},
    errors.NotSimulated: {"fields": ["triggerPrice"]},
    errors.QuantityOffLot: {"lot_size": 25},
    errors.PriceOffTick: {
        "field": "price",
        "tick_size": Decimal("0.05"),
        "lower_price": Decimal("100.00"),
        "upper_price": Decimal("100.05"),
    },
    errors.TriggerBeyondPrice: {"trigger_price": Decimal("106.00"), "price": Decimal("105.00")},
    errors.TriggerOnWrongSide: {"trigger_price": Decimal("99.00"), "last_price": Decimal("100.00")},
    errors.SquareOffPassed: {"square_off_at": datetime(2026, 11, 23, tzinfo=UTC)},
    errors.PriceOutsideBand: {
        "field": "price",
        "lower_circuit": Decimal("90.00"),
        "upper_circuit": Decimal("110.00"),
    },
}
CHANGES = errors.ChangeNotTaken.__subclasses__()
KINDS = errors.Refused.__subclasses__()


def test_trading_has_every_refusal_code_of_the_contract():
    assert {kind.code for kind in KINDS} >= {
        "not_found",
        "account_suspended",
        "market_closed",
        "no_price",
        "insufficient_holdings",
        "insufficient_margin",
        "duplicate_client_order_id",
        "nothing_to_close",
        "order_not_open",
        "not_simulated",
        "unknown_symbol",
        "intraday_not_allowed",
        "quantity_off_lot",
        "price_off_tick",
        "trigger_beyond_price",
        "trigger_on_wrong_side",
        "price_outside_band",
        "square_off_passed",
    }


def test_no_code_is_used_twice():
    assert len({kind.code for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_refusal_has_a_code_and_a_sentence(kind):
    refusal = kind(**DETAILS.get(kind, {}))
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", refusal.code)
    assert refusal.code != errors.Refused.code
    assert re.fullmatch(r"[A-Z].+\.", refusal.message)
    assert str(refusal) == refusal.message
    assert refusal.message != errors.Refused().message


@pytest.mark.parametrize("kind", [kind for kind in DETAILS if kind is not errors.OrderNotOpen])
def test_a_refusal_carries_its_details(kind):
    assert kind(**DETAILS[kind]).details == DETAILS[kind]


def test_order_not_open_names_the_status_of_the_order():
    assert errors.OrderNotOpen(status="EXECUTED").details == {"order_status": "EXECUTED"}


def test_order_not_open_names_the_time_at_which_the_market_traded_the_order():
    matched_at = datetime(2026, 11, 23, 9, 15, tzinfo=UTC)
    refusal = errors.OrderNotOpen(status="OPEN", matched_at=matched_at)
    assert refusal.details == {"order_status": "OPEN", "matched_at": matched_at}
    assert refusal.message != errors.OrderNotOpen(status="EXECUTED").message


@pytest.mark.parametrize("kind", CHANGES, ids=lambda kind: kind.__name__)
def test_a_change_that_is_not_taken_names_its_field(kind):
    refusal = kind()
    assert refusal.code == "validation_failed"
    assert refusal.details == {"errors": {kind.field: [refusal.message]}}
    assert refusal.message != errors.ChangeNotTaken().message
