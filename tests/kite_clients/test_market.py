"""Instruments, quotes and candles as the official clients see them."""

import pytest

from tests.kite_clients.market import BSE_SBIN, MANY, PRICES, TOKENS
from tests.kite_clients.sessions import Session

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

KEYS = {"NSE:INFY", str(TOKENS["INFY"])}


def test_the_instruments_have_the_tokens_that_bots_know(session: Session) -> None:
    assert session["instruments_nse"]["count"] == len(MANY) + len(PRICES)
    assert (session["instruments_bse"]["count"], session["instruments"]["count"]) == (1, len(MANY) + len(PRICES) + 1)
    infy = session["instruments_nse"]["infy"]
    assert (int(infy["instrument_token"]), infy["exchange_token"]) == (TOKENS["INFY"], "1594")
    assert (infy["tick_size"], infy["lot_size"], infy["instrument_type"]) == (0.05, 1, "EQ")
    assert (infy["segment"], infy["exchange"], infy["strike"], infy["expiry"]) == ("NSE", "NSE", 0, "")


def test_quotes_are_read_by_symbol_and_by_token(session: Session) -> None:
    for name in ("ltp", "ohlc", "quote"):
        assert set(session[name]) == KEYS, name
        for one in session[name].values():
            assert (one["instrument_token"], one["last_price"]) == (TOKENS["INFY"], PRICES["INFY"])
    assert session["ohlc"]["NSE:INFY"]["ohlc"] == {"open": 1495.0, "high": 1510.0, "low": 1490.0, "close": 1490.0}


def test_a_quote_is_whole(session: Session) -> None:
    quote = session["quote"]["NSE:INFY"]
    assert quote["ohlc"] == session["ohlc"]["NSE:INFY"]["ohlc"]
    assert quote["net_change"] == pytest.approx(10.0)
    assert quote["volume"] >= 1_000
    for side, price, quantity in (("buy", 1499.95, 120), ("sell", 1500.05, 75)):
        best, *others = quote["depth"][side]
        assert (best["price"], best["quantity"]) == (price, quantity)
        assert others == [{"price": 0, "quantity": 0, "orders": 0}] * 4


def test_long_lists_are_read_and_longer_ones_refused(session: Session) -> None:
    assert (session["ltp_1000"], session["quote_500"]) == (1000, 500)
    assert session.refusal("quote_501", "InputException") == "Too many tokens requested. Max permitted is 500."
    assert session["ltp_unknown"] == {}


def test_the_running_minute_has_a_candle(session: Session) -> None:
    candle = session["minutes"][-1]
    assert set(candle) == {"date", "open", "high", "low", "close", "volume"}
    assert candle["close"] == PRICES["INFY"]
    assert candle["low"] <= candle["open"] <= candle["high"]
    (day,) = session["days"]
    assert day["close"] == PRICES["INFY"]
    too_long = session.refusal("minutes_too_long", "InputException")
    assert too_long == "interval exceeds max limit: 60 days"


def test_a_stock_of_the_other_exchange_has_its_own_segment() -> None:
    assert BSE_SBIN & 0xFF == 4
