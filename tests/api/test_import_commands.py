"""The commands that import stocks and holidays from files."""

import gzip
import os
import subprocess
from datetime import date

import pytest

from models.database import fetch_all, session
from tests.support.processes import ROOT
from trading.market.calendars import days, make_sessions

KITE_HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    "instrument_type,segment,exchange\n"
)
KITE = KITE_HEADER + (
    "256265,1001,NIFTY 50,NIFTY 50,0.0,,0.0,0.0,0,EQ,INDICES,NSE\n"
    "408065,1594,INFY,INFOSYS,1500.5,,0.0,0.05,1,EQ,NSE,NSE\n"
    '128053508,500209,INFY,"INFOSYS, LTD.",0.0,,0.0,0.05,1,EQ,BSE,BSE\n'
    "13369090,52223,INFY26NOVFUT,INFY,0,2026-11-24,0,0.05,400,FUT,NFO-FUT,NFO\n"
)
NSE = (
    "SYMBOL,NAME OF COMPANY, SERIES, DATE OF LISTING, PAID UP VALUE, MARKET LOT, ISIN NUMBER, FACE VALUE\r\n"
    "20MICRONS,20 Microns Limited,EQ,06-OCT-2008,5,1,INE144J01027,5\r\n"
    "BAJAJ-AUTO,Bajaj Auto Limited,EQ,26-MAY-2008,10,1,INE917I01010,10\r\n"
    "ABMINTLTD,ABM International Limited, BE,14-JUN-2016,10,1,INE251C01017,10\r\n"
)


@pytest.fixture
def run(app, tmp_path):
    """Return a function that imports a file with this content; the result has exit_code, stdout and stderr."""

    def make(content, *options, what="stocks"):
        path = tmp_path / "file.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return app.test_cli_runner().invoke(args=[what, "import", str(path), *options])

    return make


def known():
    with session():
        rows = fetch_all("SELECT exchange, symbol, last_price FROM stock ORDER BY exchange, symbol")
    return [(row["exchange"], row["symbol"], str(row["last_price"] or "")) for row in rows]


def test_kites_dump_is_imported_and_may_be_imported_again(run):
    first, second = run(KITE), run(KITE)
    assert (first.exit_code, first.stderr) == (0, "")
    assert first.stdout == "Kite's instruments: 4 read, 2 stocks, 2 new, 1 priced, 2 of other kinds, 0 refused\n"
    assert second.stdout.startswith("Kite's instruments: 4 read, 2 stocks, 0 new, 1 priced")
    assert known() == [("BSE", "INFY", ""), ("NSE", "INFY", "1500.50")]


def names():
    with session():
        rows = fetch_all("SELECT exchange, symbol, name FROM stock ORDER BY exchange, symbol")
    return {(row["exchange"], row["symbol"]): row["name"] for row in rows}


def test_names_are_imported_and_stay_where_a_later_file_has_none(run):
    run("exchange,symbol,name\nNSE,TCS,Tata Consultancy Services\nNSE,INFY,\n")
    assert names() == {("NSE", "TCS"): "Tata Consultancy Services", ("NSE", "INFY"): None}
    run("exchange,symbol,lastPrice\nNSE,TCS,4000.00\nNSE,INFY,1500.00\n")
    assert run(KITE).exit_code == 0
    assert names() == {
        ("BSE", "INFY"): "INFOSYS, LTD.",
        ("NSE", "INFY"): "INFOSYS",
        ("NSE", "TCS"): "Tata Consultancy Services",
    }
    run(NSE)
    assert names()["NSE", "BAJAJ-AUTO"] == "Bajaj Auto Limited"


def test_a_name_that_is_too_long_refuses_a_list_of_your_own(run):
    refused = run(f"exchange,symbol,name\nNSE,TCS,{'N' * 121}\n")
    assert (refused.exit_code, names()) == (1, {})
    assert "line 2, name: Must have 1 to 120 characters." in refused.stderr


def facts():
    with session():
        rows = fetch_all(
            "SELECT symbol, tick_size, lot_size, allows_intraday, quote_number, is_usable FROM stock ORDER BY symbol"
        )
    return {row.pop("symbol"): tuple(str(value) for value in row.values()) for row in rows}


def test_ticks_and_lots_are_imported_and_stay_where_a_later_file_has_none(run):
    header = "exchange,symbol,tickSize,lotSize,intradayAllowed,lastPrice\n"
    assert run(header + "NSE,TCS,0.05,25,false,100\nNSE,INFY,,,,\n").exit_code == 0
    assert facts() == {"INFY": ("None", "None", "True", "0", "False"), "TCS": ("0.05", "25", "False", "1", "True")}
    run("exchange,symbol\nNSE,TCS\n")
    assert facts()["TCS"] == ("0.05", "25", "False", "1", "True")
    run(NSE)
    assert [values[1:3] for values in facts().values()][:3] == [("1", "True"), ("1", "False"), ("1", "True")]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("NSE,TCS,0.005,1,true", "tickSize"),
        ("NSE,TCS,0,1,true", "tickSize"),
        ("NSE,TCS,0.05,0,true", "lotSize"),
        ("NSE,TCS,0.05,1.5,true", "lotSize"),
        ("NSE,TCS,0.05,1,yes", "intradayAllowed"),
        ("NSE,TCS,0.05,1,true,LATE", "sessionClass"),
    ],
)
def test_a_fact_that_is_not_valid_refuses_the_file(run, line, field):
    result = run(f"exchange,symbol,tickSize,lotSize,intradayAllowed,sessionClass\nNSE,GOOD,0.05,1,true\n{line}\n")
    assert result.exit_code == 1
    assert f"line 3, {field}" in result.stderr
    assert known() == []


def instruments():
    with session():
        rows = fetch_all("SELECT exchange, symbol, instrument_token, isin, series FROM stock ORDER BY instrument_token")
    return [(f"{row['exchange']}:{row['symbol']}", row["instrument_token"], row["isin"], row["series"]) for row in rows]


def test_kites_tokens_are_those_of_its_dump(run):
    assert run("exchange,symbol\nNSE,INFY\n").exit_code == 0
    assert run(KITE).exit_code == 0
    assert instruments() == [("NSE:INFY", 408065, None, None), ("BSE:INFY", 128053508, None, None)]


def test_nses_list_has_the_isins_and_the_series(run):
    run(NSE)
    assert {(symbol, isin, series) for symbol, _, isin, series in instruments()} == {
        ("NSE:20MICRONS", "INE144J01027", "EQ"),
        ("NSE:ABMINTLTD", "INE251C01017", "BE"),
        ("NSE:BAJAJ-AUTO", "INE917I01010", "EQ"),
    }


def test_a_list_of_your_own_gives_either_token_or_both(run):
    header = "exchange,symbol,instrumentToken,exchangeToken,isin,series\n"
    lines = "NSE,INFY,408065,1594,INE009A01021,EQ\nNSE,TCS,,11536,,\nBSE,SBIN,,500112,,A\nNSE,RELIANCE,738561,,,\n"
    assert run(header + lines).exit_code == 0
    found = [
        ("NSE:INFY", 408065, "INE009A01021", "EQ"),
        ("NSE:RELIANCE", 738561, None, None),
        ("NSE:TCS", 2953217, None, None),
        ("BSE:SBIN", 128028676, None, "A"),
    ]
    assert instruments() == found
    run("exchange,symbol,tickSize,isin\nNSE,INFY,0.05,\nBSE,SBIN,0.05,\n")
    assert instruments() == found


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("0,,,", "instrumentToken"),
        ("2147483648,,,", "instrumentToken"),
        ("408065,1595,,", "exchangeToken"),
        (",1.5,,", "exchangeToken"),
        (",,INE009A0102,", "isin"),
        (",,,LARGE", "series"),
    ],
)
def test_an_instrument_that_is_not_valid_refuses_the_file(run, line, field):
    result = run(f"exchange,symbol,instrumentToken,exchangeToken,isin,series\nNSE,INFY,{line}\n")
    assert result.exit_code == 1
    assert f"line 2, {field}" in result.stderr
    assert known() == []


def test_the_session_class_is_imported_and_stays_where_a_later_file_has_none(run):
    def session_class():
        with session():
            return fetch_all("SELECT session_class FROM stock")[0]["session_class"]

    run("exchange,symbol\nNSE,TCS\n")
    assert session_class() == "NORMAL"
    run("exchange,symbol,sessionClass\nNSE,TCS,AUCTION\n")
    assert session_class() == "AUCTION"
    run("exchange,symbol,sessionClass,tickSize\nNSE,TCS,,0.05\n")
    assert session_class() == "AUCTION"


def test_shares_with_futures_have_the_sessions_of_a_closing_auction(run):
    def classes():
        with session():
            rows = fetch_all("SELECT exchange, symbol, session_class FROM stock ORDER BY exchange, symbol")
        return [tuple(row.values()) for row in rows]

    tcs = "2953217,11536,TCS,TATA CONSULTANCY,0.0,,0.0,0.05,1,EQ,NSE,NSE\n"
    run(KITE + tcs)
    both = [("BSE", "INFY", "AUCTION"), ("NSE", "INFY", "AUCTION")]
    assert classes() == [*both, ("NSE", "TCS", "NORMAL")]
    run(KITE_HEADER + tcs)  # a part of the dump without futures tells nothing
    assert classes()[:2] == both
    future = "1,1,TCS26NOVFUT,TCS,0,2026-11-24,0,0.05,175,FUT,NFO-FUT,NFO\n"
    run(KITE.replace("INFY,0,2026-11-24", "WIPRO,0,2026-11-24") + future + tcs)
    assert classes() == [("BSE", "INFY", "NORMAL"), ("NSE", "INFY", "NORMAL"), ("NSE", "TCS", "AUCTION")]


def test_no_order_fills_on_a_price_of_kites_dump(run):
    run(KITE)
    with session():
        rows = fetch_all("SELECT exchange, tick_size, lot_size, is_usable, last_price FROM stock ORDER BY exchange")
    assert [str(row["tick_size"]) for row in rows] == ["0.05", "0.05"]
    assert [(row["lot_size"], row["is_usable"]) for row in rows] == [(1, False), (1, False)]


def test_nses_list_is_imported_with_its_line_ends_and_blanks(run):
    assert run("\ufeff" + NSE).stdout.startswith("NSE's list of equities: 3 read, 3 stocks, 3 new")
    assert [symbol for _, symbol, _ in known()] == ["20MICRONS", "ABMINTLTD", "BAJAJ-AUTO"]


def test_a_dump_may_be_gzipped(run):
    assert run(gzip.compress(KITE.encode())).stdout.startswith("Kite's instruments: 4 read, 2 stocks")
    result = run(gzip.compress(KITE.encode())[:-12])
    assert (result.exit_code, "damaged" in result.stderr) == (1, True)


def test_lines_that_are_not_valid_are_reported_and_the_others_imported(run):
    lines = [
        b"1,1,GOOD,GOOD,1.00,,0,0.05,1,EQ,NSE,NSE",
        b"2,2,TWO WORDS,X,1.00,,0,0.05,1,EQ,NSE,NSE",
        b"",
        b"3,3,EXACT,X,1.2345,,0,0.05,1,EQ,NSE,NSE",
        b"4,4,NAMED,caf\xe9,1.00,,0,0.05,1,EQ,NSE,NSE",
        b"5,5,S\xffM,X,1.00,,0,0.05,1,EQ,NSE,NSE",
        b"6,6,N\x00L,X,1.00,,0,0.05,1,EQ,NSE,NSE",
        b'7,7,OPEN,"X,1.00,,0,0.05,1,EQ,NSE,NSE',
        b"8,8,SHORT,X,1.00,,0,0.05,1,EQ,NSE",
        b"9,9,LONG,X,1.00,,0,0.05,1,EQ,NSE,NSE,more",
        b"10,10,WIDE," + b"x" * 300_000 + b",1.00,,0,0.05,1,EQ,NSE,NSE",
        b"11,11,LAST,X,2.00,,0,0.05,1,EQ,BSE,BSE",
    ]
    result = run(KITE_HEADER.encode() + b"\n".join(lines))
    assert result.exit_code == 0
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == [
        "line 3, symbol",
        "line 5, lastPrice",
        "line 7, symbol",
        "line 8, symbol",
        "line 9, text",
        "line 10, exchange",
        "line 11, surplus",
        "line 12, text",
    ]
    assert result.stdout.endswith("11 read, 3 stocks, 3 new, 3 priced, 0 of other kinds, 8 refused\n")
    assert [symbol for _, symbol, _ in known()] == ["LAST", "GOOD", "NAMED"]


def test_a_long_report_is_cut_short_unless_a_file_is_named_for_it(run, tmp_path):
    content = KITE + "1,1,TWO WORDS,X,0,,0,0,1,EQ,NSE,NSE\n" * 30
    shown = run(content).stderr.splitlines()
    assert len(shown) == 21
    assert shown[-1].startswith("and 10 more")
    report = tmp_path / "report.txt"
    assert run(content, "--report", str(report)).stderr == ""
    assert len(report.read_text().splitlines()) == 30
    run(KITE, "--report", str(report))
    assert report.read_text() == ""


def test_a_file_longer_than_one_transaction_is_imported_whole(run):
    rows = "".join(f"1,1,S{number},X,1.00,,0,0.05,1,EQ,NSE,NSE\n" for number in range(2_500))
    assert "2500 stocks, 2500 new, 2500 priced" in run(KITE_HEADER + rows).stdout
    assert len(known()) == 2_500


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "Is empty"),
        (b"\n\n", "Is empty"),
        (KITE.encode("utf-16"), "UTF-8"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "not a known header"),
        (b"ticker,name\nTCS,Tata\n", "tradingsymbol"),
        (KITE_HEADER.encode(), "no stock of NSE or BSE"),
        (b"x" * 1_000_000, "longer than 65536"),
    ],
)
def test_a_file_of_an_unknown_kind_is_refused_in_one_line(run, content, words):
    result = run(content)
    assert result.exit_code == 1
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert known() == []


def test_columns_beyond_those_that_are_read_are_named_and_left_out(run):
    result = run("exchange,symbol,sector,lastPrice,\nNSE,TCS,IT,10.00,\n")
    assert (result.exit_code, result.stdout) == (0, "1 read, 1 new, 1 priced\n")
    assert result.stderr == "columns that are not read: sector\n"
    result = run("calendar,day,weekday,name\nNSE,2026-11-24,Tuesday,Gurpurb\n", what="holidays")
    assert (result.exit_code, result.stderr) == (0, "columns that are not read: weekday\n")


@pytest.mark.parametrize(
    ("misspelt", "right"), [("lastprice", "lastPrice"), ("lotSzie", "lotSize"), ("last_price", "lastPrice")]
)
def test_a_misspelt_column_refuses_the_file_and_names_the_right_one(run, misspelt, right):
    result = run(f"exchange,symbol,{misspelt}\nNSE,TCS,10\n")
    assert result.exit_code == 1
    assert result.stderr == f"tradepost: line 1, {misspelt}: Is unknown. Did you mean {right}?\n"
    assert known() == []


def test_an_empty_file_of_holidays_is_refused(run):
    assert "Is empty" in run("", what="holidays").stderr


def test_the_holidays_of_2026_close_the_market(run):
    content = (ROOT / "data" / "nse-holidays-2026.csv").read_bytes()
    assert run(content, what="holidays").stdout == "16 holidays read\n"
    make_sessions("NSE", date(2026, 1, 1), date(2026, 12, 31))
    holidays = days("NSE").trading_holidays
    assert {day.year for day in holidays} == {2026}
    assert max(day.weekday() for day in holidays) < 5
    assert days("NSE").of_day(date(2026, 11, 24), "NORMAL") is None
    assert days("NSE").of_day(date(2026, 11, 25), "NORMAL") is not None
    assert date(2026, 1, 15) in holidays


def test_the_kind_of_a_holiday_is_imported(run):
    run("calendar,day,name,kind\nNSE,2026-11-24,Gurpurb,SETTLEMENT\nNSE,2026-11-25,Closed,\n", what="holidays")
    assert days("NSE").trading_holidays == {date(2026, 11, 25)}
    assert days("NSE").settles_on(date(2026, 11, 23)) == date(2026, 11, 26)
    result = run("calendar,day,name,kind\nNSE,2026-11-24,Gurpurb,BANK\n", what="holidays")
    assert (result.exit_code, "line 2, kind" in result.stderr) == (1, True)


def test_a_terminal_shows_the_progress_of_an_import(process_environment, tmp_path):
    path = tmp_path / "kite.csv"
    future, share = KITE.splitlines(keepends=True)[-1], KITE.splitlines()[2]
    path.write_text(KITE_HEADER + future * 5_000 + share)
    terminal, inside = os.openpty()
    command = ["flask", "--app", "api", "stocks", "import", str(path)]
    done = subprocess.run(command, cwd=ROOT, env=process_environment, stdout=subprocess.PIPE, stderr=inside, text=True)
    os.close(inside)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert (done.returncode, done.stdout.split(",")[0]) == (0, "Kite's instruments: 5001 read")
    assert "reading" in shown
    assert "100%" in shown
