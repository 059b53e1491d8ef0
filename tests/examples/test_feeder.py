"""The sample feeder sends the prices it is given, and waits for a service that is away."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.database import fetch_all, session
from tests.support.processes import ROOT, ProcessStarter, Running, wait_until

pytestmark = [pytest.mark.acceptance]


@pytest.fixture
def feed_token(headers_for: Any) -> str:
    return str(headers_for("feed")["Authorization"].removeprefix("Bearer "))


def prices() -> dict[str, str]:
    with session():
        return {row["symbol"]: str(row["last_price"]) for row in fetch_all("SELECT * FROM stock")}


def test_a_file_is_fed_except_for_lines_that_do_not_fit(
    run: Any, web: Running, feed_token: str, tmp_path: Path
) -> None:
    path = tmp_path / "quotes.csv"
    lines = [f"NSE,S{number},{number}.50" for number in range(1, 1_201)]
    path.write_text("\n".join(["exchange,symbol,lastPrice", *lines, "NSE,BAD,1e5", "LSE,BAD,1.00", "not three", ""]))
    feeder = run("feeder.py", web, feed_token, str(path))
    output, complaints = feeder.communicate(timeout=30)
    assert (feeder.returncode, output) == (0, "sent 1200 quotes\n")
    assert prices() == {f"S{number}": f"{number}.50" for number in range(1, 1_201)}
    assert [line.split()[0] for line in complaints.splitlines()] == ["[(('NSE',", "[(('LSE',"]


def test_lines_with_a_book_are_quotes_with_a_bid_and_an_ask(
    run: Any, web: Running, feed_token: str, tmp_path: Path
) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text("NSE,BOTH,100.00,99.95,100.05\nNSE,BUYERS,110.00,110.00,\nNSE,NEITHER,120.00\n")
    feeder = run("feeder.py", web, feed_token, str(path))
    assert feeder.communicate(timeout=30)[1] == ""
    with session():
        stocks = fetch_all("SELECT symbol, last_price, bid_price, ask_price FROM stock ORDER BY symbol")
    assert [tuple(None if value is None else str(value) for value in stock.values()) for stock in stocks] == [
        ("BOTH", "100.00", "99.95", "100.05"),
        ("BUYERS", "110.00", "110.00", None),
        ("NEITHER", "120.00", None, None),
    ]


def test_a_stream_is_fed_as_it_comes_and_outlives_the_service(
    run: Any, start: ProcessStarter, restart: Callable[[Running], Running], feed_token: str
) -> None:
    web = start.web()
    feeder = run("feeder.py", web, feed_token)

    def say(*lines: str) -> None:
        feeder.stdin.write("".join(f"{line}\n" for line in lines))
        feeder.stdin.flush()

    say("NSE,TCS,4000.00")
    wait_until(lambda: prices() == {"TCS": "4000.00"})
    web.kill()
    say("NSE,TCS,4001.00", "BSE,INFY,1500.00")
    assert "trying again after" in feeder.stderr.readline()
    say("NSE,TCS,4002.00")
    restart(web)
    wait_until(lambda: prices() == {"TCS": "4002.00", "INFY": "1500.00"})
    feeder.stdin.close()
    assert feeder.wait(10) == 0


def test_a_token_that_may_not_feed_ends_it(run: Any, web: Running, account: Any) -> None:
    feeder = run("feeder.py", web, account().token)
    _, complaint = feeder.communicate("NSE,TCS,4000.00\n", timeout=30)
    assert feeder.returncode == 1
    assert complaint.startswith("forbidden: ")


def test_the_feeder_is_short() -> None:
    code = [line for line in (ROOT / "examples" / "feeder.py").read_text().splitlines() if line.strip()]
    assert len(code) <= 55
