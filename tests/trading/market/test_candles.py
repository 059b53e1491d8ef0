"""Minute candles of quotes, and the intervals that are made of them."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from models.database import DatabaseUnavailable
from tests.support import market_clock
from tests.support.trading import one, rows, run
from trading.market import candle_recording
from trading.market.candle_recording import Recorder, recorder
from trading.market.candle_retention import delete_old_candles, delete_some
from trading.market.candles import GivenCandle, read_candles, read_day_candles, save_candles
from trading.market.quotes import GivenQuote
from trading.matching.feed import MarketRules, receive_quotes
from trading.rules.candles import Trade
from trading.rules.sessions import INDIAN_TIME

clock = market_clock.clock
RULES = MarketRules(max_age_s=60, records_candles=True)
DAY = "2026-11-02"
MINUTE = timedelta(minutes=1)


def at(time: str, day: str = DAY) -> datetime:
    """Return an Indian time."""
    return datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=INDIAN_TIME)


@pytest.fixture
def put(clock: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Return a function that takes a quote at an Indian time: put("09:15:01", "100.00", volume=5)."""
    monkeypatch.setattr(recorder, "_start", lambda: None)  # the tests write themselves
    recorder._candles.clear()

    def take(time: str, price: str | None, *, day: str = DAY, symbol: str = "INFY", **values: Any) -> None:
        clock(f"{day} {time}")
        last_price = None if price is None else Decimal(price)
        receive_quotes([GivenQuote("NSE", symbol, last_price, **values)], RULES)

    yield take
    recorder._candles.clear()


def candles(interval: int = 1, first: str = "00:00:00", last: str = "23:59:59", symbol: str = "INFY") -> list[Any]:
    """Write what is gathered, and return the candles of the day with their times shortened to 09:15."""
    recorder.write()
    stock_id = one("SELECT id FROM stock WHERE symbol = %s", symbol)
    found = json.loads(read_candles(stock_id, timedelta(minutes=interval), at(first), at(last)))
    return [[time[11:16], *values] for time, *values in found]


def test_the_trades_of_a_minute_are_its_candle(put: Any) -> None:
    for time, price, volume in [
        ("09:15:01", "100.00", 10),
        ("09:15:20", "103.50", 30),
        ("09:15:40", "99.00", 35),
        ("09:15:59", "101.25", 50),
        ("09:16:00", "102.00", 50),  # the same volume and a later time: a new trade
        ("09:18:30", "90.00", 80),
    ]:
        put(time, price, volume=volume, last_traded_at=at(time))
    assert candles() == [
        ["09:15", 100.0, 103.5, 99.0, 101.25, 50],
        ["09:16", 102.0, 102.0, 102.0, 102.0, 0],
        ["09:18", 90.0, 90.0, 90.0, 90.0, 30],
    ]


def test_a_quote_without_a_new_trade_changes_no_candle(put: Any) -> None:
    put("09:15:01", "100.00", volume=10)
    put("09:15:02", "105.00", volume=10)  # an old price: no volume came
    put("09:15:03", None, bid_price=Decimal("99.00"), ask_price=Decimal("101.00"))
    put("09:16:03", "105.00", volume=9)
    assert candles() == [["09:15", 100.0, 100.0, 100.0, 100.0, 10]]


def test_a_quote_that_is_not_usable_makes_no_candle(put: Any) -> None:
    put("09:15:01", "100.00", is_halted=True)
    put("09:15:02", "101.00", is_halted=False, low_price=Decimal("102.00"))
    put("09:15:03", "103.00")
    assert candles() == [["09:15", 103.0, 103.0, 103.0, 103.0, 0]]


def test_a_trade_is_in_the_minute_of_its_time(put: Any) -> None:
    put("09:15:10", "100.00", volume=10, last_traded_at=at("09:15:10"))
    put("09:16:00.4", "101.00", volume=20, last_traded_at=at("09:15:59"))
    put("09:16:59", "102.00", volume=30, last_traded_at=at("09:17:01"))  # a feeder's clock that is ahead
    put("09:17:02", "103.00", volume=35, last_traded_at=at("09:15:00"))  # late news: not before the trade above
    assert candles() == [
        ["09:15", 100.0, 101.0, 100.0, 101.0, 20],
        ["09:16", 102.0, 102.0, 102.0, 102.0, 10],
        ["09:17", 103.0, 103.0, 103.0, 103.0, 5],
    ]


def test_the_last_trade_of_the_day_before_is_in_no_candle(put: Any) -> None:
    put("09:15:10", "100.00", last_traded_at=at("15:29:59", "2026-10-30"))
    put("09:15:20", "101.00", last_traded_at=at("09:15:19"))
    assert candles() == [["09:15", 101.0, 101.0, 101.0, 101.0, 0]]
    assert one("SELECT count(*) FROM candle") == 1


def test_the_minutes_of_a_day_add_up_to_its_volume(put: Any) -> None:
    put("15:29:10", "100.00", day="2026-10-30", volume=5_000)
    put("09:15:10", "100.00", volume=200)
    put("09:16:10", "101.00", volume=450)
    put("09:16:20", "101.00", volume=460)
    assert [candle[-1] for candle in candles()] == [200, 260]


def test_last_prices_alone_make_candles_when_they_change(put: Any) -> None:
    for time, price in [("09:15:01", "100.00"), ("09:15:20", "102.00"), ("09:16:10", "102.00"), ("09:17:00", "99.00")]:
        put(time, price)
    assert candles() == [["09:15", 100.0, 102.0, 100.0, 102.0, 0], ["09:17", 99.0, 99.0, 99.0, 99.0, 0]]
    put("09:18:00", "98.00", volume=7)
    put("09:19:00", "97.00")  # a stock that has a volume is traded when that changes
    assert [candle[0] for candle in candles()] == ["09:15", "09:17", "09:18"]


def test_nothing_is_gathered_unless_the_rules_say_so(put: Any) -> None:
    put("09:15:01", "100.00")
    recorder._candles.clear()
    rules = RULES._replace(records_candles=False)
    receive_quotes([GivenQuote("NSE", "INFY", Decimal("101.00"))], rules)
    receive_quotes([GivenQuote("NSE", "INFY", Decimal("102.00"), volume=5)], rules)
    assert candles() == []


@pytest.fixture
def infy(put: Any) -> Any:
    """Return the id of a stock."""
    put("09:00:00", "100.00", symbol="INFY")
    recorder._candles.clear()
    return one("SELECT id FROM stock WHERE symbol = 'INFY'")


def trade(stock_id: Any, price: str, number: int, *volumes: int) -> Trade:
    """Return a trade of 09:15."""
    return Trade(stock_id, int(at("09:15:00").timestamp()) // 60, Decimal(price), number, *volumes)


def test_processes_that_take_quotes_of_one_stock_make_one_candle(infy: Any) -> None:
    one_process, other = Recorder(), Recorder()
    one_process.add([trade(infy, "101.00", 2, 10, 20), trade(infy, "105.00", 5, 60, 90)])
    other.add([trade(infy, "99.00", 4, 30, 60), trade(infy, "100.00", 3, 20, 30)])
    other.write()
    one_process.write()
    assert candles() == [["09:15", 101.0, 105.0, 99.0, 105.0, 80]]
    other.add([trade(infy, "104.00", 4, 30, 60)])  # between the others
    other.write()
    assert candles() == [["09:15", 101.0, 105.0, 99.0, 105.0, 80]]
    other.add([trade(infy, "102.00", 6, 90, 95), trade(infy, "98.00", 1, 0, 10)])
    other.write()
    assert candles() == [["09:15", 98.0, 105.0, 98.0, 102.0, 95]]


def test_a_candle_that_is_written_again_stays_the_same(infy: Any) -> None:
    for _ in range(2):
        recorder.add([trade(infy, "101.00", 1, 0, 20), trade(infy, "105.00", 2, 20, 90)])
        assert candles() == [["09:15", 101.0, 105.0, 101.0, 105.0, 90]]


def test_candles_wait_for_a_database_that_is_gone(infy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        own.add([trade(infy, "99.00", 3, 20, 30)])  # meanwhile
        raise DatabaseUnavailable("gone")

    own = Recorder()
    own.add([trade(infy, "101.00", 1, 0, 10), trade(infy, "105.00", 2, 10, 20)])
    with monkeypatch.context() as changed:
        changed.setattr(candle_recording, "_write", fail)
        with pytest.raises(DatabaseUnavailable):
            own.write()
    assert own.write() == 1
    assert candles() == [["09:15", 101.0, 105.0, 99.0, 99.0, 30]]
    assert own.write() == 0


def test_the_candles_that_wait_are_bounded(infy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr(candle_recording, "_write", fail)
    monkeypatch.setattr(candle_recording, "MAX_WAITING", 3)
    own = Recorder()
    counted = []
    monkeypatch.setattr(candle_recording.metrics, "count_candles", lambda *count: counted.append(count))
    own.add(trade(infy, "101.00", 1)._replace(minute=minute) for minute in range(5))
    own.write_quietly()
    assert (len(own._candles), counted) == (3, [("lost", 2), ("written", 0)])


def minute_candle(stock_id: Any, time: str, price: str, volume: int = 1, day: str = DAY) -> GivenCandle:
    """Return a candle whose prices lie around one."""
    middle = Decimal(price)
    return GivenCandle(stock_id, at(time, day), middle, middle + 1, middle - 1, middle + Decimal("0.50"), volume)


def test_longer_intervals_begin_with_the_session_and_merge_their_minutes(infy: Any) -> None:
    times = ["09:15", "09:17", "09:18", "09:44", "09:45", "10:14", "10:15", "15:29"]
    given = [minute_candle(infy, f"{time}:00", f"{100 + n}.00", n) for n, time in enumerate(times)]
    assert save_candles(given, are_days=False) == 8
    assert candles(3)[:3] == [
        ["09:15", 100.0, 102.0, 99.0, 101.5, 1],
        ["09:18", 102.0, 103.0, 101.0, 102.5, 2],
        ["09:42", 103.0, 104.0, 102.0, 103.5, 3],
    ]
    starts = {number: [candle[0] for candle in candles(number)] for number in (10, 30, 60)}
    assert starts == {
        10: ["09:15", "09:35", "09:45", "10:05", "10:15", "15:25"],
        30: ["09:15", "09:45", "10:15", "15:15"],
        60: ["09:15", "10:15", "15:15"],
    }
    assert candles(60)[0] == ["09:15", 100.0, 106.0, 99.0, 105.5, 15]


@pytest.mark.parametrize(
    ("first", "last", "starts"),
    [
        ("09:15:00", "09:45:00", ["09:15", "09:30", "09:45"]),
        ("09:15:01", "09:44:59", ["09:30"]),
        ("09:30:00", "09:30:00", ["09:30"]),
        ("09:31:00", "09:44:00", []),
    ],
)
def test_a_span_has_the_candles_that_begin_in_it(infy: Any, first: str, last: str, starts: list[str]) -> None:
    save_candles([minute_candle(infy, f"09:{n}:00", "100.00") for n in range(15, 60)], are_days=False)
    assert [candle[0] for candle in candles(15, first, last)] == starts
    (whole, *_) = [*candles(15, first, last), [None, *[15] * 5]]
    assert whole[-1] == 15


def days(stock_id: Any, first: str = "2026-10-01", last: str = DAY) -> list[Any]:
    """Return the candles of days, with their days only."""
    limits = (datetime.fromisoformat(day).date() for day in (first, last))
    found = json.loads(read_day_candles(stock_id, *limits))
    assert {time[10:] for time, *_ in found} <= {"T00:00:00+0530"}
    return [[time[:10], *values] for time, *values in found]


def test_a_day_is_made_of_its_minutes_or_has_its_own_candle(infy: Any) -> None:
    save_candles([minute_candle(infy, "00:00:00", "200.00", 7, "2026-10-30")], are_days=True)
    minutes = [("2026-10-29", "23:59:00", "90"), ("2026-10-30", "00:00:00", "91"), ("2026-11-02", "09:15:00", "92")]
    save_candles([minute_candle(infy, time, f"{price}.00", 3, day) for day, time, price in minutes], are_days=False)
    assert days(infy) == [
        ["2026-10-29", 90.0, 91.0, 89.0, 90.5, 3],
        ["2026-10-30", 200.0, 201.0, 199.0, 200.5, 7],
        ["2026-11-02", 92.0, 93.0, 91.0, 92.5, 3],
    ]
    assert [day[0] for day in days(infy, "2026-10-30", "2026-10-30")] == ["2026-10-30"]


def test_with_interest_each_candle_ends_with_a_zero(infy: Any) -> None:
    save_candles([minute_candle(infy, "09:15:00", "100.00", 3)], are_days=False)
    (found,) = json.loads(read_candles(infy, MINUTE, at("09:15:00"), at("09:15:00"), interest=True))
    assert found == ["2026-11-02T09:15:00+0530", 100.0, 101.0, 99.0, 100.5, 3, 0]
    assert json.loads(read_candles(infy, MINUTE, at("09:16:00"), at("09:20:00"), interest=True)) == []


def test_an_imported_candle_takes_the_place_of_a_recorded_one_and_stays(infy: Any) -> None:
    recorder.add([trade(infy, "150.00", 1, 0, 20)])
    recorder.write()
    imported = [minute_candle(infy, "09:15:00", "90.00", 3), minute_candle(infy, "09:15:00", "100.00", 4)]
    assert save_candles(imported, are_days=False) == 1
    recorder.add([trade(infy, "150.00", 2, 20, 30)])
    assert candles() == [["09:15", 100.0, 101.0, 99.0, 100.5, 4]]


def test_of_old_days_the_minutes_become_a_candle(infy: Any, clock: Any) -> None:
    kept = [("2026-10-03", "00:00:00"), ("2026-11-02", "09:15:00")]
    old = [
        ("2026-07-01", "09:15:00"),
        ("2026-10-01", "09:15:00"),
        ("2026-10-02", "09:15:00"),
        ("2026-10-02", "23:59:00"),
    ]
    given = [minute_candle(infy, time, f"{100 + n}.00", n, day) for n, (day, time) in enumerate(old + kept)]
    save_candles(given, are_days=False)
    save_candles([minute_candle(infy, "00:00:00", "55.00", 9, "2026-10-01")], are_days=True)
    before = days(infy, "2026-07-01")
    clock("2026-11-02 12:00")
    assert [delete_some(30, stocks=1, days=2) for _ in range(4)] == [1, 3, 0, None]
    assert one("SELECT count(*) FROM candle") == 2
    assert [str(row["day"]) for row in rows("SELECT day FROM day_candle ORDER BY day")] == [
        "2026-07-01",
        "2026-10-01",
        "2026-10-02",
    ]
    assert days(infy, "2026-07-01") == before
    assert before[2] == ["2026-10-02", 102.0, 104.0, 101.0, 103.5, 5]
    assert delete_old_candles(30) == 0


def test_the_database_refuses_a_candle_that_is_none(infy: Any) -> None:
    columns = "(stock_id, minute, open_price, high_price, low_price, close_price)"
    for minute, prices in [
        ("2026-11-02 09:15:01+00", "1, 2, 1, 2"),
        ("2026-11-02 09:15:00+00", "3, 2, 1, 2"),
        ("2026-11-02 09:15:00+00", "1, 2, 2, 2"),
        ("2026-11-02 09:15:00+00", "0, 2, 0, 2"),
    ]:
        with pytest.raises(Exception, match="check constraint"):
            run(f"INSERT INTO candle {columns} SELECT id, '{minute}', {prices} FROM stock")
