"""After-market orders: accepted outside the session, and released when it opens."""

import dataclasses
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.support.sessions import session_of
from tests.support.trading import account_now, at_once, cancel, execute, modify, one, order_now, rows, run
from tests.trading.execution.market import events, state
from tests.trading.orders.quotes_account import asked, trade_on_quotes
from trading.day import release
from trading.execution import expiry, looks
from trading.execution.sweeping import sweep_once
from trading.market.calendars import import_sessions, make_sessions
from trading.market.quotes import GivenQuote
from trading.matching.feed import MarketRules, receive_quotes
from trading.orders.closing import close_position
from trading.orders.placement import place_order
from trading.orders.placement_types import FillSettings
from trading.orders.preview import preview_order
from trading.rules import errors
from trading.rules.sessions import INDIAN_TIME, indian_day
from trading.upkeep import verify

RULES = MarketRules(max_age_s=60, calendar="NSE")
MONDAY, TUESDAY = date(2026, 11, 2), date(2026, 11, 3)
EVENING, BEFORE_OPEN, AT_OPEN = "2026-11-02 20:00", "2026-11-03 09:14:59", "2026-11-03 09:15"


@pytest.fixture
def trader(account: Any) -> UUID:
    """Return an account that trades on quotes."""
    return trade_on_quotes(account().id)


@pytest.fixture(autouse=True)
def market(clock: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let it be the evening after a session, with others on the next two days; the stock has the day's last quote."""
    make_sessions("NSE", MONDAY, date(2026, 11, 4))
    monkeypatch.setattr(looks, "settings", lambda: dataclasses.replace(settings, market_calendar="NSE"))
    clock("2026-11-02 15:29")
    quote("99.95", "100.00", "99.98")
    clock(EVENING)
    yield
    assert verify.verify() == []


def quote(bid: str, ask: str, last: str, **rest: Any) -> int:
    """Set the stock's quote and return the number of orders that it matches."""
    given = GivenQuote("NSE", "RELIANCE", Decimal(last), bid_price=Decimal(bid), ask_price=Decimal(ask), **rest)
    return receive_quotes([given], RULES).matched


def place(account_id: Any, side: str = "BUY", quantity: int = 10, order_type: str = "LIMIT", **terms: Any) -> Any:
    """Place an after-market order and return its row."""
    terms = {"after_market": True} | ({"price": "100.00"} if order_type == "LIMIT" else {}) | terms
    return place_order(account_id, asked(side, quantity, order_type, **terms), calendar="NSE").order


def released() -> int:
    return release.run_once(100, calendar="NSE")


def india(day: date, clock: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), INDIAN_TIME)


def test_an_order_is_held_until_its_session_opens(trader: Any) -> None:
    order = place(trader)
    assert order == order_now(order)
    assert (order["status"], order["waiting_for"], order["due_at"]) == ("PENDING", "session", None)
    assert order["expires_at"] == india(TUESDAY, "15:30")
    assert account_now(trader)["blocked_margin"] == order["blocked_margin"] == Decimal("200.00")
    assert execute(order).skipped == 1
    assert sweep_once(limit=10).claimed == 0
    assert state(order) == ("PENDING", None)


@pytest.mark.parametrize(
    ("validity", "minutes", "ends"),
    [("TTL", 30, india(TUESDAY, "09:45")), ("TTL", 1_440, india(TUESDAY, "15:30")), ("GTC", None, None)],
)
def test_the_time_of_an_order_that_is_held_counts_from_the_opening(
    trader: Any, validity: str, minutes: int | None, ends: datetime | None
) -> None:
    assert place(trader, validity=validity, validity_minutes=minutes)["expires_at"] == ends


def test_an_order_is_released_at_the_opening_and_not_before(trader: Any, clock: Any, logged: Any) -> None:
    order = place(trader)
    assert released() == 0
    clock(BEFORE_OPEN)
    assert released() == 0
    clock(AT_OPEN)
    assert released() == 1
    assert released() == 0
    now = order_now(order)
    assert (now["status"], now["waiting_for"]) == ("PENDING", None)
    assert now["due_at"] >= india(TUESDAY, "09:15")
    assert now["version"] > order["version"]
    assert events(order) == ["order.pending"]
    (line,) = [line for line in logged if line["event"] == "order_released"]
    assert (line["order_id"], line["side"], line["quantity"]) == (str(order["id"]), order["side"], order["quantity"])


def test_the_first_look_of_a_released_order_is_at_the_first_usable_quote_of_its_session(
    trader: Any, clock: Any
) -> None:
    order = place(trader, price="105.00")
    clock(AT_OPEN)
    released()
    assert sweep_once(limit=10).opened == 1  # the quote of the evening before is usable no more
    assert order_now(order)["waiting_for"] == "quote"
    assert quote("101.00", "102.00", "101.50", quoted_at=india(TUESDAY, "09:14:59")) == 0
    assert quote("101.90", "102.10", "102.00") == 1
    assert execute(order).executed == 1
    assert state(order) == ("EXECUTED", Decimal("102.10"))
    assert order_now(order)["fill"]["rule"] == "first_look"
    assert events(order) == ["order.pending", "order.open", "order.executed"]


def test_a_market_order_without_any_quote_in_its_session_gives_everything_back(trader: Any, clock: Any) -> None:
    before = account_now(trader)
    order = place(trader, order_type="MARKET")
    clock(AT_OPEN)
    released()
    assert sweep_once(limit=10).opened == 1
    clock("2026-11-03 15:30")
    assert expiry.run_once(10).expired == 1
    assert state(order) == ("EXPIRED", None)
    assert [account_now(trader)[name] for name in ("balance", "blocked_margin")] == [before["balance"], 0]


def test_during_the_session_an_after_market_order_is_an_ordinary_one(trader: Any, clock: Any) -> None:
    clock("2026-11-03 10:00")
    order = place(trader)
    assert (order["waiting_for"], order["due_at"]) == (None, order["placed_at"])
    assert execute(order).opened == 1


def test_an_order_that_is_held_can_be_cancelled(trader: Any, clock: Any) -> None:
    before = account_now(trader)
    order = place(trader)
    assert cancel(order)["status"] == "CANCELLED"
    assert [account_now(trader)[name] for name in ("balance", "blocked_margin")] == [before["balance"], 0]
    clock(AT_OPEN)
    assert released() == 0


def test_an_order_that_is_held_can_be_changed_and_stays_held(trader: Any, clock: Any) -> None:
    order = place(trader)
    changed = modify(order, quantity=20, price="90.00", calendar="NSE")
    assert (changed["status"], changed["waiting_for"], changed["due_at"]) == ("PENDING", "session", None)
    assert (changed["quantity"], changed["blocked_margin"]) == (20, Decimal("360.00"))
    assert changed["expires_at"] == order["expires_at"]
    clock(AT_OPEN)
    assert released() == 1
    assert sweep_once(limit=10).opened == 1


def test_an_order_that_was_released_is_not_changed_outside_the_session(trader: Any, clock: Any) -> None:
    order = place(trader, validity="GTC")
    clock(AT_OPEN)
    released()
    sweep_once(limit=10)
    clock("2026-11-03 20:00")
    with pytest.raises(errors.MarketClosed) as refused:
        modify(order, quantity=20, calendar="NSE")
    assert refused.value.details == {"next_open": india(date(2026, 11, 4), "09:15")}


def test_on_a_missed_day_orders_expire_and_those_without_an_end_wait_for_the_next_session(
    trader: Any, clock: Any
) -> None:
    of_the_day, endless = place(trader), place(trader, validity="GTC")
    clock("2026-11-03 15:30")
    assert released() == 0
    clock("2026-11-04 09:15")
    assert released() == 1
    assert expiry.run_once(10).expired == 1
    assert [order_now(order)["status"] for order in (of_the_day, endless)] == ["EXPIRED", "PENDING"]
    assert order_now(endless)["waiting_for"] is None


def test_each_class_of_stocks_has_an_opening_of_its_own(trader: Any, clock: Any) -> None:
    early, late = place(trader, symbol="EARLY"), place(trader)
    run("UPDATE stock SET session_class = 'AUCTION' WHERE symbol = 'RELIANCE'")
    import_sessions("NSE", [session_of(TUESDAY, "AUCTION", opens=time(10), closes=time(11))])
    clock(AT_OPEN)
    assert released() == 1
    assert [order_now(order)["waiting_for"] for order in (early, late)] == [None, "session"]
    clock("2026-11-03 10:00")
    assert released() == 1


def test_without_a_calendar_nothing_is_held(trader: Any) -> None:
    place(trader)
    assert release.run_once(100, calendar=None) == 1


def test_a_release_of_nothing_does_nothing(clean: Any) -> None:
    assert released() == 0


def test_no_more_orders_are_released_than_were_asked_for_the_oldest_first(
    trader: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "MAX_BATCH", 2)
    orders = [place(trader, quantity=1) for _ in range(6)]
    clock(AT_OPEN)
    assert release.run_once(5, calendar="NSE") == 5
    assert [order_now(order)["waiting_for"] for order in orders] == [None] * 5 + ["session"]
    due = [order_now(order)["due_at"] for order in orders[:5]]
    assert due == sorted(due)


def test_an_order_that_is_busy_keeps_the_later_ones_of_its_account(
    trader: Any, account: Any, clock: Any, connect: Any
) -> None:
    other = account().id
    run("UPDATE account SET fill_model = 'QUOTES'")
    first, busy, later = (place(trader, quantity=1) for _ in range(3))
    of_other = place(other)
    clock(AT_OPEN)
    connection = connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM trading_order WHERE id = %s FOR UPDATE", (str(busy["id"]),))
        assert released() == 2
        waiting = [order_now(order)["waiting_for"] for order in (first, busy, later, of_other)]
        assert waiting == [None, "session", "session", None]
        connection.rollback()
    assert released() == 2
    assert len(rows("SELECT FROM trading_order WHERE waiting_for IS NULL")) == 4


def test_workers_at_once_release_each_order_once_and_in_turn(trader: Any, clock: Any) -> None:
    orders = [place(trader, quantity=1) for _ in range(20)]
    clock(AT_OPEN)
    first = at_once([released] * 4)
    assert sum(first) + released() == len(orders)
    rows_now = [order_now(order) for order in orders]
    assert all(row["waiting_for"] is None for row in rows_now)
    due = [row["due_at"] for row in rows_now]
    assert due == sorted(due)
    assert sweep_once(limit=50).opened == len(orders)


def test_a_cancellation_and_a_release_at_once_leave_one_of_both(trader: Any, clock: Any) -> None:
    before = account_now(trader)["balance"]
    clock(AT_OPEN)
    for _ in range(10):
        clock(EVENING)
        order = place(trader)
        clock(AT_OPEN)
        cancelled, _ = at_once([lambda order=order: cancel(order), released])
        assert cancelled["status"] == order_now(order)["status"] == "CANCELLED"
    assert sweep_once(limit=50).claimed == 0
    assert [account_now(trader)[name] for name in ("balance", "blocked_margin")] == [before, 0]


def test_the_circuits_of_a_day_do_not_bind_the_orders_for_the_next(trader: Any, clock: Any) -> None:
    clock("2026-11-02 15:29:30")
    circuits = {"lower_circuit": Decimal("90.00"), "upper_circuit": Decimal("110.00")}
    quote("99.95", "100.00", "99.98", **circuits)
    refused_prices = ("120.00", "80.00")
    for price in refused_prices:
        with pytest.raises(errors.PriceOutsideBand):
            place(trader, price=price)
    clock(EVENING)
    assert [place(trader, price=price)["waiting_for"] for price in refused_prices] == ["session"] * 2
    clock("2026-11-03 09:10")
    quote("99.95", "100.00", "99.98", **circuits)
    for price in refused_prices:
        with pytest.raises(errors.PriceOutsideBand):
            place(trader, price=price)


def test_a_preview_looks_at_no_quote_of_another_session(trader: Any, clock: Any) -> None:
    fills, order = FillSettings(max_quote_age_s=0), asked("BUY", 10, price="105.00")

    def look() -> tuple[bool, str | None, str | None]:
        found = preview_order(trader, order, calendar="NSE", fills=fills)
        return found.look.fills, found.look.waiting_for, found.refusal and found.refusal.code

    assert look() == (False, "quote", "market_closed")
    clock("2026-11-03 09:15")
    assert look() == (False, "quote", None)
    quote("99.95", "100.00", "99.98")
    assert look() == (True, None, None)


@pytest.mark.parametrize("product", ["INTRADAY", "DELIVERY"])
def test_after_the_square_off_only_intraday_orders_that_open_are_refused(trader: Any, clock: Any, product: str) -> None:
    clock("2026-11-02 15:24:59")
    run("UPDATE stock SET quoted_at = market_now()")
    assert execute(place(trader)).executed == 1
    clock("2026-11-02 15:25")
    if product == "INTRADAY":
        with pytest.raises(errors.SquareOffPassed) as refused:
            place(trader, product=product)
        assert refused.value.details == {"square_off_at": india(MONDAY, "15:25")}
        with pytest.raises(errors.SquareOffPassed):
            place(trader, "SELL", 11)  # 10 of it close, and one opens
        assert place(trader, "SELL", 10)["closing_quantity"] == 10
    else:
        assert place(trader, product=product)["status"] == "PENDING"
    clock(EVENING)
    assert place(trader, product=product)["waiting_for"] == "session"


def test_a_position_is_closed_until_the_close_and_not_after_it(trader: Any, clock: Any) -> None:
    clock("2026-11-02 15:24")
    run("UPDATE stock SET quoted_at = market_now()")
    order = place(trader)
    assert execute(order).executed == 1
    position_id = order_now(order)["position_id"]
    clock("2026-11-02 15:30")
    with pytest.raises(errors.MarketClosed):
        close_position(trader, position_id, calendar="NSE")
    clock("2026-11-02 15:29:59")
    closing = close_position(trader, position_id, calendar="NSE").order
    assert (closing["quantity"], closing["expires_at"]) == (10, india(MONDAY, "15:30"))


def test_without_a_calendar_the_square_off_has_the_time_of_the_setting(trader: Any, account: Any, clock: Any) -> None:
    fills = FillSettings(square_off_time=time(15, 12))
    request = asked("BUY", 10, price="100.00")
    today = indian_day(datetime.now(UTC))  # the one statement places orders of the process's own day
    clock(f"{today} 15:11:59")
    assert place_order(trader, request, calendar=None, fills=fills).order["status"] == "PENDING"
    clock(f"{today} 15:12")
    for owner in (trader, account().id):  # the second one's orders fill at once
        with pytest.raises(errors.SquareOffPassed):
            place_order(owner, request, calendar=None, fills=fills)
    clock(f"{today + timedelta(days=1)} 00:00")
    assert place_order(trader, request, calendar=None, fills=fills).order["status"] == "PENDING"


def test_an_order_is_not_made_larger_after_the_square_off(trader: Any, clock: Any) -> None:
    clock("2026-11-02 15:20")
    order = place(trader)
    clock("2026-11-02 15:25")
    with pytest.raises(errors.SquareOffPassed):
        modify(order, quantity=20, calendar="NSE")
    assert one("SELECT quantity FROM trading_order") == 10
