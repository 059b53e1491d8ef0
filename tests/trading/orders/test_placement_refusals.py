"""The refusals of placements, which write nothing."""

from datetime import date, datetime
from uuid import uuid4

import pytest

from tests.support.processes import wait_until
from tests.support.sessions import close_market, market_clock_at
from tests.support.trading import account_now, buy, close, counts, hold, one, order_now, run, sell
from trading.accounts import administration
from trading.market import calendars
from trading.rules import errors
from trading.rules.sessions import INDIAN_TIME


def refused(kind, action):
    """Return the refusal of an action, which must write nothing."""
    before = counts()
    with pytest.raises(kind) as refusal:
        action()
    assert counts() == before
    return refusal.value


def test_an_unknown_account_is_not_found(clean):
    refused(errors.NotFound, lambda: buy(uuid4(), 1, "10.00"))


def test_a_suspended_account_may_not_place(trader):
    administration.set_status(trader, "SUSPENDED")
    refused(errors.AccountSuspended, lambda: buy(trader, 1, "10.00"))


def test_a_market_order_for_a_stock_without_a_price_is_refused(trader):
    refused(errors.NoPrice, lambda: buy(trader, 1))


def test_an_order_beyond_the_margin_is_refused_with_both_numbers(trader):
    before = account_now(trader)
    refusal = refused(errors.InsufficientMargin, lambda: buy(trader, 1_000_000, "5000.00"))
    assert refusal.details["required"] > 1_000_000_000
    assert refusal.details["available"] == before["available_margin"]
    assert account_now(trader) == before


def test_a_delivery_sale_of_nothing_is_refused(trader):
    refused(errors.InsufficientHoldings, lambda: sell(trader, 1, "10.00", product="DELIVERY"))


def test_a_client_order_id_is_used_once_for_ever(trader):
    first = buy(trader, 1, "10.00", client_order_id="mine")
    refusal = refused(errors.DuplicateClientOrderId, lambda: buy(trader, 2, "20.00", client_order_id="mine"))
    assert refusal.details == {"order_id": first["id"]}
    assert order_now(first)["client_order_id"] == "mine"


def test_another_account_may_use_the_same_client_order_id(trader, account):
    buy(trader, 1, "10.00", client_order_id="mine")
    assert buy(account().id, 1, "10.00", client_order_id="mine")["client_order_id"] == "mine"


def test_orders_without_a_client_order_id_are_no_duplicates(trader):
    assert buy(trader, 1, "10.00")["id"] != buy(trader, 1, "10.00")["id"]


def test_an_unknown_position_cannot_be_closed(trader):
    refused(errors.NotFound, lambda: close(trader, uuid4()))


def test_a_flat_position_has_nothing_to_close(trader, quote):
    quote("RELIANCE", "10.00")
    hold(trader, "BUY", 1, "10.00")
    position = hold(trader, "SELL", 1, "10.00")
    refused(errors.NothingToClose, lambda: close(trader, position["id"]))


def test_a_suspended_account_may_not_close(trader, quote):
    quote("RELIANCE", "10.00")
    position = hold(trader, "BUY", 1, "10.00")
    administration.set_status(trader, "SUSPENDED")
    refused(errors.AccountSuspended, lambda: close(trader, position["id"]))


def test_a_position_whose_stock_has_no_price_cannot_be_closed(trader):
    position = hold(trader, "BUY", 1, "10.00")
    refused(errors.NoPrice, lambda: close(trader, position["id"]))


@pytest.mark.parametrize(
    ("suspended", "holidays", "kind"),
    [(True, True, errors.AccountSuspended), (False, True, errors.MarketClosed), (False, False, errors.NoPrice)],
)
def test_refusals_come_in_the_order_of_the_contract(trader, suspended, holidays, kind):
    if suspended:
        administration.set_status(trader, "SUSPENDED")
    if holidays:
        close_market()
    refused(kind, lambda: sell(trader, 1_000_000, product="DELIVERY", calendar="NSE" if holidays else None))


def test_holdings_are_checked_before_margin(account):
    trader = account("0.00").id
    refused(errors.InsufficientHoldings, lambda: sell(trader, 1, "10.00", product="DELIVERY"))


def test_a_closed_market_refuses_and_names_its_next_opening(trader):
    opens_at = close_market()
    refusal = refused(errors.MarketClosed, lambda: buy(trader, 1, "10.00", calendar="NSE"))
    assert refusal.details == {"next_open": opens_at}


def test_a_market_whose_sessions_nobody_has_made_is_closed(trader):
    refusal = refused(errors.MarketClosed, lambda: buy(trader, 1, "10.00", calendar="NSE"))
    assert refusal.details == {"next_open": None}


def test_without_a_calendar_the_market_is_always_open(trader):
    close_market()
    assert buy(trader, 1, "10.00", calendar=None)["status"] == "PENDING"


def test_the_session_is_that_of_the_stocks_class_by_the_database_clock(trader):
    day = date(2026, 11, 27)
    calendars.make_sessions("NSE", day, day)
    buy(trader, 1, "10.00")
    run("UPDATE stock SET session_class = 'AUCTION'")
    with market_clock_at(datetime(2026, 11, 27, 15, 14, 59, tzinfo=INDIAN_TIME)):
        assert buy(trader, 1, "10.00", product="DELIVERY", calendar="NSE")["status"] == "PENDING"
    with market_clock_at(datetime(2026, 11, 27, 15, 15, tzinfo=INDIAN_TIME)):
        refused(errors.MarketClosed, lambda: buy(trader, 1, "10.00", product="DELIVERY", calendar="NSE"))
        assert buy(trader, 1, "10.00", product="DELIVERY", calendar="NSE", symbol="OTHER")["status"] == "PENDING"


def test_holidays_are_imported_once_and_renamed(clean):
    day = date(2026, 12, 25)
    assert calendars.import_holidays([("NSE", day, "Xmas"), ("NSE", date(2027, 1, 26), "Republic Day")]) == 2
    assert calendars.days("NSE").trading_holidays == {day, date(2027, 1, 26)}
    calendars.import_holidays([("NSE", day, "Christmas")])
    assert one("SELECT name FROM market_holiday WHERE day = %s", day) == "Christmas"


def test_holidays_are_cached_and_an_import_is_seen_at_once(clean):
    assert calendars.days("NSE").trading_holidays == frozenset()
    calendars.import_holidays([("NSE", date(2026, 12, 25), "Christmas")])
    assert calendars.days("NSE").trading_holidays == {date(2026, 12, 25)}


def test_holidays_changed_by_another_process_are_seen_within_a_minute(clean, monkeypatch):
    assert calendars.REMEMBERED_S <= 60
    monkeypatch.setattr(calendars, "REMEMBERED_S", 0.2)
    assert calendars.days("NSE").trading_holidays == frozenset()
    run("INSERT INTO market_holiday (calendar, day, name) VALUES ('NSE', '2026-12-25', 'Christmas')")
    wait_until(lambda: calendars.days("NSE").trading_holidays == {date(2026, 12, 25)})
    run("DELETE FROM market_holiday")
    wait_until(lambda: calendars.days("NSE").trading_holidays == frozenset())
