"""The time at which an order expires."""

from datetime import UTC, datetime

import pytest

from trading.rules.decision import OrderRequest
from trading.rules.expiry import expires_with

NOON = datetime(2026, 11, 27, 6, 30, tzinfo=UTC)  # 12:00 in India
CLOSE, MIDNIGHT = datetime(2026, 11, 27, 10, 0, tzinfo=UTC), datetime(2026, 11, 27, 18, 30, tzinfo=UTC)


def end_of(validity, *, fill_model="QUOTES", now=NOON, has_sessions=False):
    minutes = 5 if validity == "TTL" else None
    request = OrderRequest("NSE", "TCS", "BUY", 1, validity=validity, validity_minutes=minutes)
    return expires_with(request, fill_model=fill_model, now=now, has_sessions=has_sessions)


@pytest.mark.parametrize(
    ("validity", "at_all_times", "with_sessions"),
    [("DAY", MIDNIGHT, CLOSE), ("TTL", None, CLOSE), ("IOC", None, None), ("GTC", None, None)],
)
def test_an_order_expires_with_its_session(validity, at_all_times, with_sessions):
    assert end_of(validity) == at_all_times
    assert end_of(validity, has_sessions=True) == with_sessions


def test_the_day_is_that_of_india():
    assert end_of("DAY", now=datetime(2026, 11, 27, 18, 29, 59, tzinfo=UTC)) == MIDNIGHT
    assert end_of("DAY", now=MIDNIGHT) == datetime(2026, 11, 28, 18, 30, tzinfo=UTC)


def test_an_immediate_order_does_not_expire():
    assert end_of("DAY", fill_model="IMMEDIATE", has_sessions=True) is None
