"""The time at which an order expires."""

from datetime import UTC, date, datetime

import pytest

from trading.rules.decision import OrderRequest
from trading.rules.expiry import expires_with
from trading.rules.sessions import TradingDays, default_sessions

NOON = datetime(2026, 11, 27, 6, 30, tzinfo=UTC)  # 12:00 in India, on a Friday
CLOSE, MIDNIGHT = datetime(2026, 11, 27, 10, 0, tzinfo=UTC), datetime(2026, 11, 27, 18, 30, tzinfo=UTC)
AUCTION_CLOSE = datetime(2026, 11, 27, 9, 45, tzinfo=UTC)
DAYS = TradingDays(default_sessions(date(2026, 11, 1), date(2026, 11, 30), ()))


def end_of(validity, *, fill_model="QUOTES", now=NOON, days=None, session_class="NORMAL"):
    minutes = 5 if validity == "TTL" else None
    request = OrderRequest("NSE", "TCS", "BUY", 1, validity=validity, validity_minutes=minutes)
    return expires_with(request, fill_model=fill_model, now=now, days=days, session_class=session_class)


@pytest.mark.parametrize(
    ("validity", "at_all_times", "with_sessions", "of_auction_class"),
    [
        ("DAY", MIDNIGHT, CLOSE, AUCTION_CLOSE),
        ("TTL", None, CLOSE, AUCTION_CLOSE),
        ("IOC", None, None, None),
        ("GTC", None, None, None),
    ],
)
def test_an_order_expires_with_the_session_of_its_stocks_class(validity, at_all_times, with_sessions, of_auction_class):
    assert end_of(validity) == at_all_times
    assert end_of(validity, days=DAYS) == with_sessions
    assert end_of(validity, days=DAYS, session_class="AUCTION") == of_auction_class


@pytest.mark.parametrize("now", [CLOSE, MIDNIGHT, datetime(2026, 11, 30, 3, 44, 59, tzinfo=UTC)])
def test_an_order_between_two_sessions_expires_with_the_next(now):
    assert end_of("DAY", now=now, days=DAYS) == datetime(2026, 11, 30, 10, 0, tzinfo=UTC)


def test_without_any_known_session_there_is_no_end():
    assert end_of("DAY", days=TradingDays([])) is None


def test_the_day_is_that_of_india():
    assert end_of("DAY", now=datetime(2026, 11, 27, 18, 29, 59, tzinfo=UTC)) == MIDNIGHT
    assert end_of("DAY", now=MIDNIGHT) == datetime(2026, 11, 28, 18, 30, tzinfo=UTC)


def test_an_immediate_order_does_not_expire():
    assert end_of("DAY", fill_model="IMMEDIATE", days=DAYS) is None
