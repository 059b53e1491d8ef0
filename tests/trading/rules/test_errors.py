"""What can be refused."""

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


def test_every_code_of_the_contract_that_trading_refuses_with_is_there():
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


def test_no_code_stands_for_two_things():
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


def test_an_order_that_is_not_open_says_what_it_is():
    assert errors.OrderNotOpen(status="EXECUTED").details == {"order_status": "EXECUTED"}
