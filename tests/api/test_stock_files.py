"""The formats of stock files: how each is recognised, and the stock of each row."""

import pytest

from api.commands.stock_files import KITE, NSE, OWN, recognise

KITE_HEADER = ["instrument_token", "tradingsymbol", "name", "last_price", "instrument_type", "segment", "exchange"]
NSE_HEADER = ["SYMBOL", "NAME OF COMPANY", "SERIES", "DATE OF LISTING", "ISIN NUMBER"]


def kite(**changes):
    row = {"tradingsymbol": "INFY", "last_price": "0", "instrument_type": "EQ", "segment": "NSE", "exchange": "NSE"}
    return KITE.stock_of(row | changes)


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        (["exchange", "symbol"], OWN),
        (["lastPrice", "symbol", "exchange", "remark"], OWN),
        (KITE_HEADER, KITE),
        (NSE_HEADER, NSE),
        (["NSE", "TCS"], None),
        (["symbol", "name"], None),
        ([], None),
    ],
)
def test_a_file_is_recognised_by_its_header(header, kind):
    assert recognise(header) is kind


def test_a_share_in_kites_dump_is_a_stock():
    assert kite() == {"exchange": "NSE", "symbol": "INFY"}
    assert kite(segment="BSE", exchange="BSE") == {"exchange": "BSE", "symbol": "INFY"}
    assert kite(name="INFOSYS") == {"exchange": "NSE", "symbol": "INFY", "name": "INFOSYS"}


def test_a_name_that_is_too_long_is_cut_and_does_not_cost_the_stock():
    assert kite(name="N" * 121)["name"] == "N" * 120


@pytest.mark.parametrize(
    "changes",
    [
        {"instrument_type": "FUT", "segment": "NFO-FUT", "exchange": "NFO"},
        {"instrument_type": "CE", "segment": "NFO-OPT", "exchange": "NFO"},
        {"segment": "INDICES", "tradingsymbol": "NIFTY 50"},
        {"segment": "MCX", "exchange": "MCX"},
    ],
)
def test_futures_options_and_indices_in_kites_dump_are_skipped(changes):
    assert kite(**changes) is None


@pytest.mark.parametrize(
    ("written", "price"),
    [
        ("0", None),
        ("0.0", None),
        ("", None),
        ("1500", "1500"),
        ("23.5", "23.5"),
        ("23.050000", "23.05"),
        ("0.005", "0.005"),
    ],
)
def test_a_price_in_kites_dump_may_be_missing_or_have_trailing_zeros(written, price):
    assert kite(last_price=written).get("lastPrice") == price


def test_the_tick_and_the_lot_of_kites_dump_are_taken_and_zeros_mean_unknown():
    stock = {"exchange": "NSE", "symbol": "INFY"}
    assert kite(tick_size="0.050000", lot_size="1") == stock | {"tickSize": "0.05", "lotSize": "1"}
    assert kite(tick_size="0.0", lot_size="0") == stock


def test_a_company_in_nses_list_is_a_stock_if_its_series_is_one_of_shares():
    row = {"SYMBOL": "M&M", "NAME OF COMPANY": "Mahindra & Mahindra Limited", "SERIES": "EQ", "MARKET LOT": "1"}
    stock = {"exchange": "NSE", "symbol": "M&M", "name": "Mahindra & Mahindra Limited", "lotSize": "1"}
    assert NSE.stock_of(row) == stock | {"intradayAllowed": "true", "series": "EQ"}
    assert NSE.stock_of(row | {"SERIES": "BE"}) == stock | {"intradayAllowed": "false", "series": "BE"}
    assert NSE.stock_of(row | {"SERIES": "N1"}) is None


@pytest.mark.parametrize(("written", "isin"), [("INE101A01026", "INE101A01026"), ("", None), ("INE101A0102", None)])
def test_an_isin_in_nses_list_is_taken_if_it_is_one(written, isin):
    row = {"SYMBOL": "M&M", "NAME OF COMPANY": "Mahindra", "SERIES": "EQ", "ISIN NUMBER": written}
    assert NSE.stock_of(row).get("isin") == isin
