"""The time at which an order expires."""

from datetime import UTC, datetime

import pytest

from trading.rules.decision import OrderRequest
from trading.rules.expiry import expires_with, session_end
from trading.rules.order_sessions import OrderSession, session_for
from trading.rules.sessions import TradingDays, default_sessions

NOON = datetime(2026, 11, 27, 6, 30, tzinfo=UTC)  # 12:00 in India
CLOSE, MIDNIGHT = datetime(2026, 11, 27, 10, 0, tzinfo=UTC), datetime(2026, 11, 27, 18, 30, tzinfo=UTC)
AUCTION_CLOSE = datetime(2026, 11, 27, 9, 45, tzinfo=UTC)
DAYS = TradingDays(default_sessions(datetime(2026, 11, 27).date(), datetime(2026, 11, 30).date(), ()))
EVENING = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)


def end_of(validity, *, fill_model="QUOTES", session, minutes=5):
    minutes = minutes if validity == "TTL" else None
    request = OrderRequest("NSE", "TCS", "BUY", 1, validity=validity, validity_minutes=minutes)
    return expires_with(request, session, fill_model=fill_model)


def session_at(now, days=DAYS, session_class="NORMAL", **options):
    return session_for(days, session_class, now, **options)


@pytest.mark.parametrize(
    ("validity", "at_all_times", "with_sessions"),
    [("DAY", MIDNIGHT, CLOSE), ("TTL", None, CLOSE), ("IOC", None, None), ("GTC", None, None)],
)
def test_an_order_expires_with_its_session(validity, at_all_times, with_sessions):
    assert end_of(validity, session=session_at(NOON, None)) == at_all_times
    assert end_of(validity, session=session_at(NOON)) == with_sessions


@pytest.mark.parametrize("validity", ["DAY", "TTL"])
def test_an_order_expires_at_the_close_of_its_stocks_class(validity):
    assert end_of(validity, session=session_at(NOON, session_class="AUCTION")) == AUCTION_CLOSE


def test_the_minutes_of_an_order_that_waits_count_from_the_opening():
    session = session_at(EVENING, after_market=True)
    assert end_of("DAY", session=session) == CLOSE
    assert end_of("TTL", session=session) == datetime(2026, 11, 27, 3, 50, tzinfo=UTC)
    assert end_of("TTL", session=session, minutes=1_440) == CLOSE
    assert end_of("GTC", session=session) is None


def test_the_day_is_that_of_india():
    assert session_at(datetime(2026, 11, 27, 18, 29, 59, tzinfo=UTC), None).closes_at == MIDNIGHT
    assert session_at(MIDNIGHT, None).closes_at == datetime(2026, 11, 28, 18, 30, tzinfo=UTC)


def test_an_immediate_order_does_not_expire():
    assert end_of("DAY", fill_model="IMMEDIATE", session=OrderSession(CLOSE)) is None


def test_the_end_of_a_session_is_that_of_the_open_one_or_else_of_the_next():
    assert session_end(NOON, days=DAYS, session_class="AUCTION") == AUCTION_CLOSE
    assert session_end(EVENING, days=DAYS, session_class="NORMAL") == CLOSE
    assert session_end(NOON, days=TradingDays([]), session_class="NORMAL") is None
    assert session_end(NOON, days=None, session_class="NORMAL") == MIDNIGHT
