"""Historical candles as the clients of Kite Connect ask for them."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from tests.support.kite import kite_headers
from tests.support.trading import one
from trading.market.candles import GivenCandle, save_candles
from trading.rules.sessions import INDIAN_TIME

START = datetime(2017, 12, 15, 9, 15, tzinfo=INDIAN_TIME)
D = Decimal


@pytest.fixture
def ask(client, account, quote):
    """Return a function that asks for candles of INFY, of which three minutes and a day are known."""
    quote("INFY", "1500.00")
    stock_id, token = one("SELECT id FROM stock"), one("SELECT instrument_token FROM stock")
    prices = D("1704.50"), D("1705.00"), D("1699.25"), D("1702.80")
    given = [GivenCandle(stock_id, START + timedelta(minutes=n), *prices, 2499 + n) for n in (0, 1, 5)]
    save_candles(given, are_days=False)
    save_candles([GivenCandle(stock_id, START - timedelta(days=1), *prices, 10)], are_days=True)
    headers = kite_headers(account().token)

    def get(interval="minute", begin="2017-12-15 09:15:00", end="2017-12-15 15:30:00", *, number=token, **query):
        query = {"from": begin, "to": end, "continuous": "0", "oi": "0"} | query
        return client.get(f"/instruments/historical/{number}/{interval}", query_string=query, headers=headers)

    return get


def found(answer):
    """Return the candles of an answer."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    body = answer.get_json()
    assert (body["status"], list(body["data"])) == ("success", ["candles"])
    return body["data"]["candles"]


def refused(answer, message):
    """Check that an answer is an InputException with a message."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/json")
    expected = {"status": "error", "message": message, "data": None, "error_type": "InputException"}
    assert answer.get_json() == expected


def test_minutes_have_the_shape_that_clients_read(ask):
    candles = found(ask())
    assert candles[0] == ["2017-12-15T09:15:00+0530", 1704.5, 1705, 1699.25, 1702.8, 2499]
    assert [candle[0][11:16] for candle in candles] == ["09:15", "09:16", "09:20"]


def test_other_intervals_are_made_of_minutes(ask):
    assert [(candle[0][11:16], candle[5]) for candle in found(ask("5minute"))] == [("09:15", 4999), ("09:20", 2504)]
    for interval in ("3minute", "10minute", "15minute", "30minute", "60minute", "hour"):
        assert found(ask(interval))[0][0] == "2017-12-15T09:15:00+0530"
    assert found(ask("day")) == [["2017-12-15T00:00:00+0530", 1704.5, 1705, 1699.25, 1702.8, 7503]]
    assert [candle[5] for candle in found(ask("day", "2017-12-01", "2017-12-31"))] == [10, 7503]


@pytest.mark.parametrize(
    ("begin", "end", "count"),
    [
        ("2017-12-15", "2017-12-15", 3),  # a day alone is the whole day
        ("2017-12-15", "2017-12-14 23:59:59", None),
        ("2017-12-15 09:16", "2017-12-15 09:20:00", 2),
        ("2017-12-15T09:16:00+0530", "2017-12-15T03:46:59Z", 1),
        ("2018-01-01", "2018-01-02", 0),
    ],
)
def test_a_span_may_be_written_in_several_ways(ask, begin, end, count):
    answer = ask("minute", begin, end)
    if count is None:
        refused(answer, "invalid from date: it is after the to date")
    else:
        assert len(found(answer)) == count


def test_with_oi_each_candle_ends_with_an_open_interest(ask):
    assert found(ask(oi="1", continuous="1"))[0][5:] == [2499, 0]
    assert len(found(ask(oi="undefined", continuous="null"))[0]) == 6


@pytest.mark.parametrize(
    ("interval", "days"),
    [
        ("minute", 60),
        ("3minute", 100),
        ("10minute", 100),
        ("30minute", 200),
        ("60minute", 400),
        ("hour", 400),
        ("day", 2000),
    ],
)
def test_a_span_that_is_too_long_is_refused(ask, interval, days):
    end = START + timedelta(days=days)
    assert found(ask(interval, f"{START:%F %T}", f"{end:%F %T}"))
    refused(ask(interval, f"{START:%F}", f"{end + timedelta(days=1):%F}"), f"interval exceeds max limit: {days} days")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("from", "yesterday"),
        ("to", "2017-13-01"),
        ("to", "0001-01-01"),
        ("from", "9999-12-31 23:59:59"),
        ("to", "x" * 99),
    ],
)
def test_a_time_that_is_none_is_refused(ask, name, text):
    refused(ask(**{name: text}), f"invalid {name} date")


def test_what_is_missing_or_unknown_is_refused(ask):
    refused(ask(**{"from": ""}), "Missing or empty field `from`")
    refused(ask("2minute"), "Invalid `interval`.")
    for token in ("1", "0", "x", "99999999999", "²", "-5"):
        refused(ask(number=token), "invalid token")


def test_a_token_of_the_account_is_needed(client, ask):
    answer = client.get("/kite/instruments/historical/1/minute")
    assert (answer.status_code, answer.get_json()["error_type"]) == (403, "TokenException")
