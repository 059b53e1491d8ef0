"""The known stocks that a client may have meant."""

import pytest

from trading.market.nearest import NearStock, nearest_symbols
from trading.market.stocks import import_stocks

STOCKS = {
    ("NSE", "RELIANCE"): "Reliance Industries",
    ("BSE", "RELIANCE"): "Reliance Industries",
    ("NSE", "RELINFRA"): "Reliance Infrastructure",
    ("NSE", "INFY"): "Infosys",
    ("NSE", "M&M"): "Mahindra & Mahindra",
    ("NSE", "TCS"): "Tata Consultancy Services",
}


@pytest.fixture
def stocks(clean: None) -> None:
    """Create some stocks with names."""
    import_stocks(STOCKS, STOCKS)


def near(symbol: str, exchange: str = "NSE") -> list[str]:
    """Return the nearest stocks, as texts."""
    return [f"{one.exchange}:{one.symbol}" for one in nearest_symbols(exchange, symbol)]


@pytest.mark.parametrize("symbol", ["RELAINCE", "RELIANC", "RELIANCEE", "TELIANCE", "RELIANEC", "RELIANSE"])
def test_a_misspelt_symbol_finds_the_right_one_first(stocks: None, symbol: str) -> None:
    assert near(symbol)[:2] == ["NSE:RELIANCE", "BSE:RELIANCE"]


def test_the_asked_exchange_comes_first(stocks: None) -> None:
    assert near("RELAINCE", "BSE")[:2] == ["BSE:RELIANCE", "NSE:RELIANCE"]
    assert near("INFY", "BSE") == ["NSE:INFY"]


def test_a_name_finds_its_symbol(stocks: None) -> None:
    assert near("INFOSYS") == ["NSE:INFY"]
    assert nearest_symbols("NSE", "INFOSYS") == [NearStock("NSE", "INFY", "Infosys")]


@pytest.mark.parametrize("symbol", ["QQQQ", "X", "M_M", "%%", r"\\"])
def test_what_is_like_nothing_finds_nothing(stocks: None, symbol: str) -> None:
    assert near(symbol) == []


def test_a_bounded_number_is_found(clean: None) -> None:
    import_stocks({("NSE", f"ABC{number:03}") for number in range(300)})
    assert len(near("ABC0X0")) == 5
