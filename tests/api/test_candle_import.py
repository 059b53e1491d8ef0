"""The command that imports candles from files."""

import gzip
import json

import pytest

from tests.support.trading import rows

HEADER = "exchange,symbol,at,open,high,low,close,volume\n"
LINE = "NSE,INFY,2026-11-02T09:15:00+05:30,100.00,102.50,99.00,101.00,500\n"


@pytest.fixture
def run(app, quote, tmp_path):
    """Return a function that imports a file with this content; the result has exit_code, stdout and stderr."""
    quote("INFY", "100.00")
    quote("TCS", "100.00")

    def make(content, *options):
        path = tmp_path / "candles.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return app.test_cli_runner().invoke(args=["candles", "import", str(path), *options])

    return make


def saved():
    """Return the candles of minutes as texts."""
    columns = "minute AT TIME ZONE 'Asia/Kolkata' AS at, {}".format(
        ", ".join(f"candle.{name}_price" for name in ("open", "high", "low", "close"))
    )
    found = rows(f"SELECT symbol, {columns}, volume_to FROM candle JOIN stock ON id = stock_id ORDER BY 1, 2")
    return [" ".join(map(str, row.values())) for row in found]


def test_candles_of_minutes_are_imported_and_may_be_imported_again(run):
    other = "nse,tcs,2026-11-02 09:16:00,1,1,1,1,0\n"
    for _ in range(2):
        result = run(HEADER + LINE + other)
        assert (result.exit_code, result.stdout) == (0, "2 read, 2 saved, 2 stocks\n")
    assert saved() == [
        "INFY 2026-11-02 09:15:00 100.00 102.50 99.00 101.00 500",
        "TCS 2026-11-02 09:16:00 1.00 1.00 1.00 1.00 0",
    ]
    assert json.loads(run(HEADER + LINE, "--json").stdout) == {"read": 1, "saved": 1, "stocks": 1}


def test_the_frame_of_a_client_is_imported_for_one_stock(run):
    frame = (
        ",date,open,high,low,close,volume\n"
        "0,2026-11-02 09:15:00+05:30,1704.5,1705.0,1699.25,1702.8000000000002,2499\n"
        "1,2026-11-02 09:16:00+05:30,1702.8,1702.8,1702.8,1702.8,12.0\n"
    )
    assert run(gzip.compress(frame.encode()), "--stock", "nse:infy").stdout == "2 read, 2 saved, 1 stock\n"
    assert saved() == [
        "INFY 2026-11-02 09:15:00 1704.50 1705.00 1699.25 1702.80 2499",
        "INFY 2026-11-02 09:16:00 1702.80 1702.80 1702.80 1702.80 12",
    ]
    assert "line 1, exchange: Is missing" in run(frame).stderr
    assert "--stock" in run(frame, "--stock", "INFY").stderr


def test_candles_of_days_are_imported(run):
    lines = "NSE,INFY,2026-10-30,100,102,99,101,500\nNSE,INFY,2026-11-02 00:00:00+05:30,100,102,99,101,7\n"
    assert run(HEADER + lines, "--interval", "day").exit_code == 0
    found = rows("SELECT day, volume FROM day_candle ORDER BY day")
    assert [(str(row["day"]), row["volume"]) for row in found] == [("2026-10-30", 500), ("2026-11-02", 7)]
    assert saved() == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("NSE,WIPRO,2026-11-02 09:15:00,1,1,1,1,0", "symbol: 'NSE:WIPRO' is unknown"),
        ("NSE,INFY,2026-11-02 09:15:30,1,1,1,1,0", "at: Must be the beginning of a minute"),
        ("NSE,INFY,soon,1,1,1,1,0", "at: Must be a time"),
        ("NSE,INFY,0001-01-01 00:00:00,1,1,1,1,0", "at: Must be in 1990 or later"),
        ("NSE,INFY,2226-11-02 09:15:00,1,1,1,1,0", "at: Must not be in the future"),
        ("NSE,INFY,2026-11-02 09:15:00,2,1,1,1,0", "high: All prices must lie between"),
        ("NSE,INFY,2026-11-02 09:15:00,1,1,2,1,0", "high: All prices must lie between"),
        ("NSE,INFY,2026-11-02 09:15:00,0,1,0,1,0", "open: Must be a price"),
        ("NSE,INFY,2026-11-02 09:15:00,0.001,1,1,1,0", "open: Must be a price"),
        ("NSE,INFY,2026-11-02 09:15:00,1,1e3,1,1,0", "high: Must be a price"),
        ("NSE,INFY,2026-11-02 09:15:00,1,1,1,NaN,0", "close: Must be a price"),
        ("NSE,INFY,2026-11-02 09:15:00,1,1,1,1,-1", "volume: Must be a whole number"),
        ("NSE,INFY,2026-11-02 09:15:00,1,1,1,1,9999999999999999999", "volume: Must be a whole number"),
        ("NSE,INFY,2026-11-02 09:15:00,1,1,1,1", "volume: Must be a whole number"),
        ("NSE,INFY,2026-11-02 09:15:00,1,1,1,1,1,1", "surplus: Has 9 cells"),
    ],
)
def test_a_line_that_is_not_valid_refuses_the_file(run, line, reason):
    result = run(f"{HEADER}{LINE}{line}\n")
    assert (result.exit_code, saved()) == (1, [])
    assert f"line 3, {reason}" in result.stderr


def test_a_header_without_a_column_is_refused(run):
    result = run("exchange,symbol,open,high,low,close\n")
    assert (result.exit_code, result.stderr.count("Is missing")) == (1, 2)


def test_a_warning_tells_of_minutes_that_will_become_days(run):
    assert run(HEADER + LINE.replace("2026", "2020")).stderr.startswith("minutes that are older than 60 days")
    assert run(HEADER).stdout == "0 read, 0 saved, 0 stocks\n"
