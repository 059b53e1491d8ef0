"""The bots that follow the ticks of a stock rest a limit below it, and guard what it bought by a stop."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.examples.conftest import PROGRAMS
from tests.support.processes import ProcessStarter, Running, wait_until
from tests.support.trading import one
from trading.upkeep.verify import verify

pytestmark = [pytest.mark.acceptance]

BOTS = ("stop_bot.py", "stop_bot.mjs")


class Market:
    """The quotes of one stock, sent to a web process that may be away."""

    def __init__(self, web: Running, headers: dict[str, str]) -> None:
        self.web, self.headers = web, headers

    def at(self, price: str) -> None:
        """Send a quote: the last trade was at the bid."""
        ask = f"{Decimal(price) + Decimal('0.05'):.2f}"
        quote = {"exchange": "NSE", "symbol": "M&M", "lastPrice": price, "bidPrice": price, "askPrice": ask}
        url = f"{self.web.base_url}/api/market/quotes"
        assert requests.put(url, json={"quotes": [quote]}, headers=self.headers, timeout=10).status_code == 200


class Output:
    """The lines that a bot has printed so far."""

    def __init__(self, bot: "subprocess.Popen[str]") -> None:
        self.lines: list[str] = []
        threading.Thread(target=self._read, args=[bot.stdout], daemon=True).start()

    def _read(self, lines: Iterator[str]) -> None:
        self.lines.extend(line.rstrip("\n") for line in lines)

    def wait_for(self, line: str) -> None:
        """Wait until the bot has printed this line last."""
        wait_until(lambda: self.lines[-1:] == [line], what=f"{line} after {self.lines}")


def waits(column: str, value: str, side: str) -> bool:
    """Return True if the newest order of a side waits for the market at this price or trigger."""
    where = f"side = %s AND status = 'OPEN' AND {column} = %s AND due_at IS NULL"
    return bool(one(f"SELECT count(*) FROM trading_order WHERE {where}", side, value))


@pytest.fixture
def market(start: ProcessStarter, headers_for: Any) -> Market:
    market = Market(start.web(), headers_for("feed"))
    market.at("1000.00")
    start.worker()
    return market


@pytest.mark.parametrize("name", BOTS)
def test_a_bot_follows_the_market_with_its_limit_and_then_with_its_stop_though_the_service_restarts(
    name: str, run: Any, market: Market, restart: Callable[[Running], Running], account: Any
) -> None:
    bot = run(name, market.web, account(fill_model="QUOTES").token, "NSE", "M&M")
    output = Output(bot)
    output.wait_for("bid 1000.00")
    wait_until(lambda: waits("price", "998.00", "BUY"), what="the limit rests")
    market.at("1010.00")
    wait_until(lambda: waits("price", "1007.95", "BUY"), what="the limit has followed")
    market.at("1009.00")
    output.wait_for("bid 1009.00")  # it does not follow a falling market
    market.web = restart(market.web)
    market.at("1007.00")
    wait_until(lambda: "bought at 1007.95" in output.lines, what="the limit was reached")
    wait_until(lambda: waits("trigger_price", "1005.90", "SELL"), what="the stop waits")
    market.at("1020.00")
    wait_until(lambda: waits("trigger_price", "1017.95", "SELL"), what="the stop has followed")
    market.at("1016.00")  # beyond the trigger
    assert bot.wait(30) == 0
    wait_until(lambda: output.lines[-1:] == ["sold at 1016.00"], what="the sale")
    assert bot.stderr.read() == ""
    assert verify() == []


@pytest.mark.parametrize("name", BOTS)
def test_a_bot_says_why_it_ends(name: str, run: Any, market: Market, account: Any) -> None:
    poor = run(name, market.web, account("1.00", fill_model="QUOTES").token, "NSE", "M&M")
    assert "margin" in poor.communicate(timeout=30)[1]
    assert poor.returncode == 1
    nobody = run(name, market.web, "tp_nobody", "NSE", "M&M")
    assert "the token is unknown, expired or revoked" in nobody.communicate(timeout=30)[1].lower()
    assert nobody.returncode == 1
    for exchange, symbol, reason in (("NSE", "RELAINCE", "unknown: NSE:RELAINCE\n"), ("LSE", "M&M", "an exchange")):
        nowhere = run(name, market.web, account().token, exchange, symbol)
        output, complaint = nowhere.communicate(timeout=30)
        assert (nowhere.returncode, output, complaint.count("\n")) == (1, "", 1)
        assert reason in complaint
    assert set(BOTS) <= set(PROGRAMS)
