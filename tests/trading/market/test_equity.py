"""The equity of an account over time, against its worth as it stood at those times."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from models.database import execute, fetch_all, session
from tests.support import market_clock
from tests.support.identifiers import NOT_THERE
from tests.support.trading import buy, hold, money
from trading.accounts.administration import create_account, move_funds
from trading.accounts.portfolio import find_valued_account
from trading.day.conversion import convert_position
from trading.day.reset import reset_account
from trading.events import retention
from trading.market.equity import BadRange, Range, equity_curve
from trading.market.recorded_prices import record_prices
from trading.matching.feed import set_quotes
from trading.rules.equity import EquityPoint
from trading.rules.errors import NotFound
from trading.rules.terms import LedgerKind

clock = market_clock.clock
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BY_MINUTE, BY_HOUR, BY_DAY = Range(MINUTE, DAY), Range(HOUR, 30 * DAY), Range(DAY, 365 * DAY)


@pytest.fixture
def at(clock: Callable[[str], None]) -> Callable[[str], datetime]:
    """Return a function that sets the clock to an Indian time of 2 November 2026, and returns that time in UTC."""

    def set_to(time: str, day: str = "2026-11-02") -> datetime:
        clock(f"{day} {time}")
        return datetime.fromisoformat(f"{day}T{time}+05:30").astimezone(UTC)

    return set_to


@pytest.fixture
def trader(at: Any) -> UUID:
    """Return an account that was opened at 09:58."""
    at("09:58:00")
    account_id: UUID = create_account("Curve", money("100000.00"))["id"]
    return account_id


def quote(price: str, symbol: str = "RELIANCE") -> None:
    """Set a last price."""
    set_quotes([("NSE", symbol, Decimal(price))])


def worth(account_id: UUID) -> tuple[Decimal, Decimal]:
    """Return the present balance and unrealised profit of an account."""
    with session():
        row = find_valued_account(account_id)
    assert row is not None
    return row["balance"], row["unrealized_pnl"]


def points_of(account_id: UUID, asked: Range = BY_MINUTE) -> dict[datetime, tuple[Decimal, Decimal]]:
    """Return the curve of an account by time."""
    return {point.at: (point.balance, point.unrealized_pnl) for point in equity_curve(account_id, asked)}


def recorded() -> list[tuple[datetime, Decimal]]:
    """Return the recorded prices with their minutes, in their order."""
    with session():
        rows = fetch_all("SELECT minute, price FROM recorded_price ORDER BY minute, price")
    return [(row["minute"], row["price"]) for row in rows]


def test_each_point_is_the_worth_that_the_account_had(trader: UUID, at: Any) -> None:
    """All that moves the worth of an account: trades, profits, charges, funds, a conversion, a reset."""
    first, second = create_account("Other", money("5000.00"))["id"], "TCS"
    steps: list[Callable[[], object]] = [
        lambda: quote("100.00"),
        lambda: hold(trader, "BUY", 10, "100.00"),
        lambda: quote("104.00"),
        lambda: hold(trader, "BUY", 5, "103.00"),
        lambda: hold(trader, "SELL", 4, "200.00", symbol=second),
        lambda: quote("190.00", second),
        lambda: hold(trader, "SELL", 7, "106.50"),
        lambda: move_funds(trader, LedgerKind.WITHDRAWAL, money("1234.00")),
        lambda: hold(trader, "SELL", 20, "101.00"),
        lambda: hold(trader, "BUY", 3, "100.00", product="DELIVERY"),
        lambda: hold(first, "BUY", 1, "100.00"),
        lambda: quote("98.00"),
        lambda: buy(trader, 1, "50.00"),
        lambda: reset_account(trader, money("7000.00")),
        lambda: hold(trader, "BUY", 2, "99.00"),
        lambda: convert_position(trader, position_of_reliance(trader), None, calendar=None),
        lambda: quote("97.00"),
    ]
    known: dict[datetime, tuple[Decimal, Decimal]] = {}
    for number, step in enumerate(steps):
        at(f"10:{number:02}:30")
        step()
        known[at(f"10:{number + 1:02}:00.000001").replace(microsecond=0)] = worth(trader)
        record_prices()
    found = points_of(trader)
    assert {moment: found[moment] for moment in known} == known
    assert len({pnl for _, pnl in known.values()}) > 8


def position_of_reliance(account_id: UUID) -> UUID:
    """Return the INTRADAY position of an account in RELIANCE."""
    with session():
        sql = "SELECT id FROM position WHERE account_id = %s AND symbol = 'RELIANCE' AND product = 'INTRADAY'"
        (row,) = fetch_all(sql, (account_id,))
    position_id: UUID = row["id"]
    return position_id


def test_the_last_point_is_of_the_present(trader: UUID, at: Any) -> None:
    quote("100.00")
    hold(trader, "BUY", 10, "100.00")
    at("10:00:20")
    quote("107.00")
    last = equity_curve(trader, BY_HOUR)[-1]
    assert (last.balance, last.unrealized_pnl) == worth(trader)
    assert last.equity == last.balance + money("70.00")
    until = BY_MINUTE._replace(until=last.at - MINUTE)
    assert equity_curve(trader, until)[-1].at == datetime(2026, 11, 2, 4, 29, tzinfo=UTC)


def test_a_range_that_begins_later_has_no_point(trader: UUID, at: Any) -> None:
    now = at("12:00:00")
    assert equity_curve(trader, Range(MINUTE, HOUR, since=now + HOUR)) == []


def test_points_are_at_the_ends_of_indian_intervals_since_the_account_began(trader: UUID, at: Any) -> None:
    at("12:00:00.5", day="2026-11-04")
    ends = [moment.isoformat()[8:16] for moment in points_of(trader, BY_DAY)]
    assert ends == ["02T18:30", "03T18:30", "04T06:30"]
    hours = [moment.isoformat()[11:16] for moment in points_of(trader, BY_HOUR)]
    assert hours[:2] == ["04:30", "05:30"]
    with_start = BY_HOUR._replace(since=datetime(2026, 11, 4, 4, 30, tzinfo=UTC))
    assert [moment.isoformat()[11:16] for moment in points_of(trader, with_start)] == [
        "04:30",
        "05:30",
        "06:30",
        "06:30",
    ]


def test_a_stock_without_a_recorded_price_is_left_out(trader: UUID, at: Any) -> None:
    hold(trader, "BUY", 10, "100.00")
    moment = at("10:02:00")
    with session():
        execute("DELETE FROM recorded_price")
    assert points_of(trader)[moment][1] == money("0.00")


def test_prices_are_recorded_of_held_stocks_when_they_have_changed(trader: UUID, at: Any) -> None:
    quote("50.00", "INFY")
    quote("100.00")
    position = hold(trader, "BUY", 10, "100.00")
    begin = datetime(2026, 11, 2, 4, 30, tzinfo=UTC)  # 10:00 in India
    counts = []
    for minute, price in enumerate(["100.00", "101.00", "101.00", "102.00"]):
        at(f"10:{minute:02}:40")
        quote(price)
        quote(f"{50 + minute}.00", "INFY")
        at(f"10:{minute + 1:02}:01")
        counts.append(record_prices())
        assert record_prices() is None
    assert counts == [1, 1, 0, 1]
    hold(trader, "SELL", 10, "102.00")
    at("10:04:30")
    quote("103.00")
    at("10:05:01")
    assert record_prices() == 0
    assert recorded() == [
        (begin, money("100.00")),
        (begin + MINUTE, money("101.00")),
        (begin + 3 * MINUTE, money("102.00")),
    ]
    assert position["symbol"] == "RELIANCE"


@pytest.mark.parametrize(
    ("time", "minute"), [("10:04:56", 4), ("10:05:00", 4), ("10:05:29", 4), ("10:05:31", None), ("10:05:54", None)]
)
def test_a_minute_is_recorded_near_its_end_or_not_at_all(at: Any, time: str, minute: int | None) -> None:
    at(time)
    assert record_prices() == (None if minute is None else 0)
    with session():
        minutes = [row["minute"].minute for row in fetch_all("SELECT minute FROM price_recording")]
    assert minutes == ([] if minute is None else [30 + minute])


@pytest.mark.parametrize(
    ("asked", "is_good"),
    [
        (BY_MINUTE._replace(since=datetime(2026, 11, 1, 6, tzinfo=UTC)), True),
        (BY_MINUTE._replace(since=datetime(2026, 11, 1, 1, tzinfo=UTC)), False),
        (BY_HOUR._replace(since=datetime(2026, 10, 3, tzinfo=UTC)), True),
        (BY_HOUR._replace(since=datetime(2026, 9, 30, tzinfo=UTC), until=datetime(2026, 10, 1, tzinfo=UTC)), False),
        (BY_DAY._replace(since=datetime(2022, 12, 1, tzinfo=UTC)), True),
        (BY_DAY._replace(since=datetime(2020, 1, 1, tzinfo=UTC)), False),
        (BY_DAY._replace(since=datetime(1, 1, 1, tzinfo=UTC), until=datetime(1, 1, 2, tzinfo=UTC)), True),
        (BY_DAY._replace(until=datetime(1, 1, 2, tzinfo=UTC)), True),
        (BY_DAY._replace(since=datetime(9999, 12, 31, 23, tzinfo=UTC)), True),
    ],
)
def test_a_range_is_bounded(trader: UUID, at: Any, asked: Range, is_good: bool) -> None:
    at("12:00:00")
    if is_good:
        assert isinstance(equity_curve(trader, asked), list)
    else:
        with pytest.raises(BadRange):
            equity_curve(trader, asked)


def test_an_account_that_does_not_exist_has_no_curve(clean: None) -> None:
    with pytest.raises(NotFound):
        equity_curve(NOT_THERE, BY_DAY)


@pytest.fixture
def prices(trader: UUID, at: Any) -> Iterator[Callable[..., None]]:
    """Return a function that records prices of RELIANCE at Indian times, before the clock goes on."""
    quote("100.00")
    hold(trader, "BUY", 1, "100.00")

    def record(*moments: str) -> None:
        with session():
            for number, moment in enumerate(moments):
                execute(
                    "INSERT INTO recorded_price SELECT id, %s::timestamp AT TIME ZONE 'Asia/Kolkata', %s FROM stock",
                    (moment, 100 + number),
                )

    yield record
    while retention.delete_old_prices() is not None:
        pass


def test_of_old_days_the_last_price_is_kept(prices: Any, at: Any) -> None:
    prices("2026-11-02 10:00", "2026-11-02 15:29", "2026-11-03 00:00", "2026-11-03 23:59", "2026-11-04 09:00")
    at("23:59:00", day="2026-12-03")  # the 31st day before it is not over
    assert delete_prices() == 0
    at("00:01:00", day="2026-12-04")
    assert delete_prices() == 1
    at("12:00:00", day="2026-12-05")
    assert delete_prices() == 1
    assert [price for _, price in recorded()] == [101, 103, 104]
    at("12:00:00", day="2027-03-05")
    assert delete_prices() == 0


def delete_prices() -> int:
    """Delete all old prices, and return their number."""
    total = 0
    while (deleted := retention.delete_old_prices(stocks=1)) is not None:
        total += deleted
    return total


def test_a_point_is_the_sum_of_its_parts() -> None:
    assert EquityPoint(datetime.now(UTC), money("10.00"), money("-2.50")).equity == money("7.50")


def test_a_curve_that_takes_too_long_asks_for_a_shorter_range(trader: UUID, at: Any, connect: Any) -> None:
    at("10:05:00")
    with connect() as other, session():
        other.cursor().execute("LOCK TABLE recorded_price")
        execute("SET statement_timeout = '50ms'")
        try:
            with pytest.raises(BadRange, match="shorter range"):
                equity_curve(trader, BY_MINUTE)
        finally:
            execute("RESET statement_timeout")
