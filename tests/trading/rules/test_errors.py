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
    errors.OrderNotOpen: {"status": "EXECUTED"},
}
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
