"""Instruments: stocks by their tokens."""

from types import ModuleType

import pytest

from tests.support.trading import run
from trading.market.instruments import find_instruments, keys_of, list_instruments, tokens_of
from trading.market.stocks import import_stocks
from trading.matching.stock_changes import ImportedFacts, set_facts
from trading.orders.placement_statements import create_stock

INFY, TCS, SBIN = "NSE:INFY", "NSE:TCS", "BSE:SBIN"
REAL = {INFY: 408065, TCS: 2953217, SBIN: 128028676}


@pytest.fixture
def stocks(clean: None) -> None:
    """Create three stocks with their real tokens."""
    import_stocks(tuple(key.split(":")) for key in REAL)
    give(REAL)


def give(tokens: dict[str, int]) -> None:
    """Import tokens."""
    set_facts([ImportedFacts(*key.split(":"), instrument_token=token) for key, token in tokens.items()])


def test_tokens_and_keys_are_found_and_unknown_ones_left_out(stocks: None) -> None:
    assert tokens_of([INFY, SBIN, "NSE:NOTHING", "INFY", ""]) == {INFY: 408065, SBIN: 128028676}
    assert keys_of([408065, 128028676, 1, 0, -1, 2**40]) == {408065: INFY, 128028676: SBIN}
    assert tokens_of([]) == keys_of([]) == keys_of([2**40]) == {}


def test_a_stock_that_is_not_active_keeps_its_token_and_is_not_offered(stocks: None) -> None:
    run("UPDATE stock SET is_active = false WHERE symbol = 'INFY'")
    assert tokens_of([INFY]) == {INFY: 408065}
    assert keys_of([408065]) == {408065: INFY}
    assert [row["symbol"] for row in find_instruments([408065, 2953217])] == ["TCS"]
    assert symbols("NSE") == ["TCS"]


def symbols(exchange: str, after: str = "", limit: int = 10) -> list[str]:
    """Return the symbols of a list of instruments."""
    return [row["symbol"] for row in list_instruments(exchange, after=after, limit=limit)]


def test_the_instruments_of_an_exchange_are_listed_by_symbol_in_portions(stocks: None) -> None:
    assert symbols("NSE") == ["INFY", "TCS"]
    assert symbols("BSE") == ["SBIN"]
    assert symbols("NFO") == []
    assert symbols("NSE", limit=1) == ["INFY"]
    assert symbols("NSE", after="INFY") == ["TCS"]


def test_a_renamed_stock_takes_the_token_of_its_old_symbol(stocks: None) -> None:
    give({"NSE:INFOSYS": 408065})
    tokens = tokens_of([INFY, "NSE:INFOSYS"])
    assert tokens["NSE:INFOSYS"] == 408065
    assert tokens[INFY] >> 8 >= 4_000_000


def test_stocks_exchange_their_tokens_in_one_import(stocks: None) -> None:
    give({INFY: 2953217, TCS: 408065})
    assert tokens_of(REAL) == REAL | {INFY: 2953217, TCS: 408065}


def test_the_last_stock_of_an_import_gets_a_token_that_two_ask_for(stocks: None) -> None:
    give({"NSE:FIRST": 5633, "NSE:LAST": 5633})
    tokens = tokens_of(["NSE:FIRST", "NSE:LAST"])
    assert tokens["NSE:LAST"] == 5633
    assert tokens["NSE:FIRST"] >> 8 >= 4_000_000


def test_an_import_without_tokens_leaves_them(stocks: None) -> None:
    set_facts([ImportedFacts("NSE", "INFY", isin="INE009A01021", series="EQ"), ImportedFacts("NSE", "TCS", name="T")])
    (row,) = find_instruments([408065])
    assert (row["isin"], row["series"]) == ("INE009A01021", "EQ")
    assert tokens_of(REAL) == REAL


def test_a_new_stock_gets_its_token_without_a_trigger(database: ModuleType) -> None:
    database.execute("SET session_replication_role = replica")  # no trigger fires
    try:
        import_stocks([("NSE", "INFY"), ("BSE", "SBIN")])
        create_stock("BSE", "TCS")
        give({"NSE:INFY": tokens_of([SBIN])[SBIN]})  # so that SBIN gets another one
    finally:
        database.execute("RESET session_replication_role")
    tokens = tokens_of([INFY, SBIN, "BSE:TCS"])
    assert len(set(tokens.values())) == 3
    assert [tokens[key] % 256 for key in (SBIN, "BSE:TCS")] == [4, 4]
