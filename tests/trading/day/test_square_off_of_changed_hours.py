"""The square-off of a day whose hours change after it: the exchange was down, and trades in the evening."""

from datetime import date, time
from decimal import Decimal

import pytest

from tests.support.sessions import session_of
from tests.support.trading import execute, one, rows
from tests.trading.execution.market import quote
from tests.trading.orders.quotes_account import place
from trading.accounts import administration
from trading.day import jobs, square_off
from trading.market import calendars
from trading.rules.terms import SessionClass
from trading.upkeep import verify

DAY, NAME = date(2026, 11, 2), "square-off NORMAL"
EVENING = {"opens": time(15, 45), "closes": time(17), "square_off": time(16, 55)}


@pytest.fixture(autouse=True)
def day(clock, set_up):
    """Let the square-off of an ordinary day be done, before the hours of the evening are known."""
    set_up(market_calendar="NSE", square_off_time=None)
    calendars.make_sessions("NSE", DAY, date(2026, 11, 4))
    clock("2026-11-02 15:26")
    assert square_off.run_once()
    yield
    assert verify.verify() == []


@pytest.fixture
def trader(clean):
    return administration.create_account("Trader", Decimal("100000.00"), fill_model="QUOTES")["id"]


def open_in_the_evening():
    calendars.import_sessions("NSE", [session_of(DAY, name, **EVENING) for name in SessionClass])


def test_a_position_of_the_later_hours_is_closed_at_their_time(trader, clock):
    open_in_the_evening()
    clock("2026-11-02 16:00")
    quote("99.95", "100.00", "99.98")
    execute(place(trader, "BUY", 10, price="100.00"))
    assert square_off.behind_s() == 0
    clock("2026-11-02 16:55")
    quote("101.00", "101.10", "101.05")
    assert not square_off.run_once()
    assert one("SELECT quantity FROM position") == 0
    clock("2026-11-02 16:55:40")
    assert 40 <= square_off.behind_s() < 60
    assert square_off.run_once()
    assert square_off.behind_s() == 0
    assert rows("SELECT status FROM trading_order WHERE origin = 'SQUARE_OFF'") == [{"status": "EXECUTED"}]
    finished_at = one("SELECT finished_at FROM job_run WHERE name = %s", NAME)
    assert square_off.run_once()
    assert one("SELECT finished_at FROM job_run WHERE name = %s", NAME) == finished_at


def test_a_square_off_that_is_skipped_stays_skipped(trader, clock):
    open_in_the_evening()
    jobs.repeat(NAME, DAY)
    jobs.skip(NAME, DAY)  # before its time
    clock("2026-11-02 16:56")
    assert square_off.run_once()
    assert one("SELECT detail ->> 'skipped' FROM job_run WHERE name = %s", NAME) == "true"
