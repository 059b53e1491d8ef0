"""Quotes, as the clients of Kite Connect ask for them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.support.kite import VERSION, kite_headers
from tests.support.trading import run
from trading.market.quotes import GivenQuote
from trading.market.stocks import import_stocks
from trading.matching.feed import MarketRules, receive_quotes
from trading.matching.stock_changes import ImportedFacts, set_facts

D = Decimal
QUOTED_AT = datetime(2021, 6, 8, 10, 15, 56, 120000, tzinfo=UTC)
TRADED_AT = datetime(2021, 6, 8, 10, 15, 52, tzinfo=UTC)
NOTHING = {"price": 0.0, "quantity": 0, "orders": 0}
FULL = {
    "instrument_token": 408065,
    "timestamp": "2021-06-08 15:45:56",
    "last_trade_time": "2021-06-08 15:45:52",
    "last_price": 1412.95,
    "last_quantity": 0,
    "buy_quantity": 7,
    "sell_quantity": 5191,
    "volume": 7360198,
    "average_price": 0.0,
    "oi": 0,
    "oi_day_high": 0,
    "oi_day_low": 0,
    "net_change": 23.3,
    "lower_circuit_limit": 1250.7,
    "upper_circuit_limit": 1528.6,
    "ohlc": {"open": 1396.0, "high": 1421.75, "low": 1395.55, "close": 1389.65},
    "depth": {
        "buy": [{"price": 1412.9, "quantity": 7, "orders": 1}, *[NOTHING] * 4],
        "sell": [{"price": 1412.95, "quantity": 5191, "orders": 1}, *[NOTHING] * 4],
    },
}


@pytest.fixture
def infy(clean):
    """Create INFY with its token and a whole quote."""
    set_facts([ImportedFacts("NSE", "INFY", instrument_token=408065)])
    given = GivenQuote(
        "NSE",
        "INFY",
        D("1412.95"),
        last_traded_at=TRADED_AT,
        volume=7360198,
        bid_price=D("1412.90"),
        ask_price=D("1412.95"),
        bid_quantity=7,
        ask_quantity=5191,
        quoted_at=QUOTED_AT,
        open_price=D("1396"),
        high_price=D("1421.75"),
        low_price=D("1395.55"),
        previous_close=D("1389.65"),
        lower_circuit=D("1250.70"),
        upper_circuit=D("1528.60"),
    )
    receive_quotes([given], MarketRules())


@pytest.fixture
def ask(client, account):
    """Return a function that asks for stocks, and returns the answer."""
    headers = kite_headers(account(scopes=("read",)).token)
    return lambda path, *names: client.get(path, headers=headers, query_string=[("i", name) for name in names])


def test_a_quote_has_all_that_kites_has(infy, ask):
    answer = ask("/quote", "NSE:INFY")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.get_json() == {"status": "success", "data": {"NSE:INFY": FULL}}


@pytest.mark.parametrize(
    ("path", "members"), [("/quote/ltp", ()), ("/quote/ohlc", ("ohlc",)), ("/quote", tuple(FULL.keys()))]
)
def test_a_stock_is_answered_by_the_name_that_asked_for_it(infy, ask, path, members):
    shown = {name: FULL[name] for name in ("instrument_token", "last_price", *members)}
    assert ask(path, "408065", "NSE:INFY").get_json()["data"] == {"408065": shown, "NSE:INFY": shown}


@pytest.mark.parametrize("path", ["/quote", "/quote/ohlc", "/quote/ltp"])
def test_a_stock_without_data_is_left_out(infy, ask, path, quote):
    import_stocks([("NSE", "SILENT")])
    quote("GONE")
    run("UPDATE stock SET is_active = false WHERE symbol = 'GONE'")
    names = (
        "NSE:SILENT",
        "NSE:GONE",
        "NSE:NOTHING",
        "NFO:INFY",
        "NSE:NIFTY 50",
        "INFY",
        "1",
        "99999999999",
        "nse:infy",
    )
    assert ask(path, *names).get_json() == {"status": "success", "data": {}}


@pytest.mark.parametrize("path", ["/quote", "/quote/ohlc", "/quote/ltp"])
def test_a_quote_without_a_name_is_refused(clean, ask, path):
    for names in ((), ("",), ("undefined", "null")):
        answer = ask(path, *names)
        assert answer.status_code == 400
        assert answer.get_json()["error_type"] == "InputException"


def test_a_last_price_alone_gives_a_whole_answer(ask, quote):
    quote("TCS", "4000.00")
    found = ask("/quote", "NSE:TCS").get_json()["data"]["NSE:TCS"]
    assert found.keys() == FULL.keys()
    assert (found["last_price"], found["net_change"], found["volume"]) == (4000.0, 0.0, 0)
    assert found["ohlc"] == {"open": 0.0, "high": 0.0, "low": 0.0, "close": 0.0}
    assert found["depth"] == {"buy": [NOTHING] * 5, "sell": [NOTHING] * 5}
    assert found["timestamp"] == found["last_trade_time"]
    assert len(found["timestamp"]) == 19


@pytest.mark.parametrize(("path", "maximum"), [("/quote", 500), ("/quote/ohlc", 1_000), ("/quote/ltp", 1_000)])
def test_many_stocks_are_answered_at_once_and_one_more_is_refused(clean, ask, quote, path, maximum):
    keys = [f"NSE:S{number}" for number in range(maximum)]
    receive_quotes([GivenQuote("NSE", f"S{number}", D("100")) for number in range(maximum)], MarketRules())
    assert list(ask(path, *keys).get_json()["data"]) == keys
    refused = ask(path, *keys, "NSE:ONEMORE")
    assert refused.status_code == 400
    assert refused.get_json()["message"] == f"Too many tokens requested. Max permitted is {maximum}."
    assert refused.get_json()["error_type"] == "InputException"


@pytest.mark.parametrize("path", ["/quote", "/quote/ohlc", "/quote/ltp"])
def test_quotes_need_a_token(client, infy, path):
    answer = client.get(f"{path}?i=NSE:INFY", headers=VERSION)
    assert answer.status_code == 403
    assert answer.get_json()["error_type"] == "TokenException"
