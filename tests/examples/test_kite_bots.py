"""The bots for Zerodha's own clients buy a share, guard it, and sell it."""

import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.support.processes import ROOT, ProcessStarter, Running, wait_until
from tests.support.trading import one
from trading.upkeep.verify import verify

pytestmark = [pytest.mark.acceptance]

BOT = pytest.mark.parametrize("name", ["kite_bot.py", "kite_bot.mjs"])
STOPS = "SELECT count(*) FROM trading_order WHERE order_type = 'STOP_MARKET' AND status = 'OPEN' AND due_at IS NULL"


@pytest.fixture
def quote_at(web: Running, headers_for: Any) -> Callable[[str, str], None]:
    """Return a function that quotes RELIANCE: quote_at("2499.95", "2500.05")."""
    feeder = headers_for("feed")

    def send(bid: str, ask: str) -> None:
        prices = {"lastPrice": bid, "bidPrice": bid, "askPrice": ask}
        body = {"quotes": [{"exchange": "NSE", "symbol": "RELIANCE", **prices}]}
        url = f"{web.base_url}/api/market/quotes"
        assert requests.put(url, json=body, headers=feeder, timeout=10).status_code == 200

    return send


@pytest.fixture
def guarded(
    run: Any, web: Running, start: ProcessStarter, account: Any, quote_at: Callable[[str, str], None]
) -> Callable[[str], "subprocess.Popen[str]"]:
    """Return a function that starts a bot which has bought at 1000.00 and guards it by a stop at 995.00."""

    def make(name: str) -> "subprocess.Popen[str]":
        quote_at("999.95", "1000.00")
        start.worker()
        bot = run(name, web, account(fill_model="QUOTES").token, "NSE", "RELIANCE")
        wait_until(lambda: one(STOPS) or bot.poll() is not None, what="the stop waits")
        assert bot.poll() is None, bot.communicate()
        assert str(one("SELECT trigger_price FROM trading_order WHERE order_type = 'STOP_MARKET'")) == "995.00"
        return bot

    return make


def ended(bot: "subprocess.Popen[str]") -> list[str]:
    """Return the lines of a bot that has ended well."""
    output, complaint = bot.communicate(timeout=30)
    assert (bot.returncode, complaint) == (0, "")
    assert verify() == []
    return output.splitlines()


@BOT
def test_a_bot_sells_when_its_price_has_risen(name: str, guarded: Any, quote_at: Any) -> None:
    bot = guarded(name)
    quote_at("1003.00", "1003.05")
    assert ended(bot) == ["BUY COMPLETE 1000", "SELL COMPLETE 1003", "profit today 3"]
    assert one("SELECT count(*) FROM trading_order WHERE status = 'CANCELLED'") == 1


@BOT
def test_a_bot_is_stopped_out(name: str, guarded: Any, quote_at: Any) -> None:
    bot = guarded(name)
    quote_at("994.50", "994.60")
    assert ended(bot) == ["BUY COMPLETE 1000", "SELL COMPLETE 994.5", "profit today -5.5"]


@BOT
def test_a_bot_says_why_it_is_refused(name: str, run: Any, web: Running, account: Any) -> None:
    bot = run(name, web, account().token, "NSE", "NOPRICE")
    assert bot.communicate(timeout=30)[1] == "no price of NSE:NOPRICE is known\n"
    bot = run(name, web, "tp_nobody", "NSE", "NOPRICE")
    assert bot.communicate(timeout=30)[1] == "TokenException: Incorrect `api_key` or `access_token`.\n"
    assert bot.returncode == 1


@BOT
def test_a_bot_is_short(name: str) -> None:
    lines = (ROOT / "examples" / name).read_text().splitlines()
    assert len([line for line in lines if re.search(r"\w", line)]) <= 80
