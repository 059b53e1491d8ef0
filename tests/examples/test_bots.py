"""The bots of examples/ trade with the real web and worker processes."""

import contextlib
import re
import shutil
from collections.abc import Callable
from typing import Any

import pytest
import requests

from models.database import fetch_all, fetch_one, session
from tests.examples.conftest import PROGRAMS
from tests.faults.proxy import HOST, Proxy, tcp_target
from tests.support.processes import ROOT, ProcessStarter, Running, wait_until
from trading.accounts.administration import change_account
from trading.execution.sweeping import sweep_once
from trading.upkeep.verify import verify

BOTS = ("bot.py", "bot.mjs")
MAX_LINES = 47  # below the imports


def number_of_orders() -> int:
    with session():
        return int(fetch_one("SELECT count(*) AS number FROM trading_order")["number"])


def status_of_the_order() -> str | None:
    with session():
        row = fetch_one("SELECT status FROM trading_order")
    return None if row is None else str(row["status"])


@pytest.mark.acceptance
def test_the_bots_buy_listen_and_close_though_the_service_restarts_meanwhile(
    run: Any, start: ProcessStarter, restart: Callable[[Running], Running], account: Any, quote: Any
) -> None:
    quote("RELIANCE", "2500.00")
    web = start.web()
    bots = [run(name, web, account().token, "NSE", "RELIANCE") for name in BOTS if shutil.which(PROGRAMS[name])]
    wait_until(lambda: number_of_orders() == len(bots))
    restart(web)
    start.worker()
    for bot in bots:
        output, complaint = bot.communicate(timeout=30)
        assert (bot.returncode, complaint) == (0, "")
        assert output.splitlines() == [f"order.executed {side} RELIANCE at 2500.00" for side in ("BUY", "SELL")]
    with session():
        assert [row["quantity"] for row in fetch_all("SELECT quantity FROM position")] == [0] * len(bots)
    assert number_of_orders() == 2 * len(bots)
    assert verify() == []


@pytest.mark.acceptance
@pytest.mark.parametrize("name", BOTS)
def test_a_bot_waits_for_the_market_as_on_the_demo_account(
    name: str, run: Any, web: Running, start: ProcessStarter, account: Any, headers_for: Any
) -> None:
    trader, feeder = account(), headers_for("feed")
    change_account(trader.id, {"fill_model": "QUOTES"})

    def send(ask: str | None) -> None:
        quote = {
            "exchange": "NSE",
            "symbol": "RELIANCE",
            "lastPrice": "2500.00",
            "bidPrice": "2499.95",
            "askPrice": ask,
        }
        url = f"{web.base_url}/api/market/quotes"
        assert requests.put(url, json={"quotes": [quote]}, headers=feeder, timeout=10).status_code == 200

    send(None)  # at the upper circuit: nobody sells
    start.worker()
    bot = run(name, web, trader.token, "NSE", "RELIANCE")
    wait_until(lambda: status_of_the_order() == "OPEN")
    assert bot.poll() is None
    send("2500.05")
    output, complaint = bot.communicate(timeout=30)
    assert (bot.returncode, complaint) == (0, "")
    fills = [("BUY", "2500.05"), ("SELL", "2499.95")]
    assert output.splitlines() == [f"order.executed {side} RELIANCE at {price}" for side, price in fills]
    assert verify() == []


@pytest.mark.acceptance
@pytest.mark.parametrize("name", BOTS)
def test_a_bot_that_is_reset_reads_its_order_again(
    name: str,
    run: Any,
    start: ProcessStarter,
    restart: Callable[[Running], Running],
    account: Any,
    quote: Any,
    cleaner: Any,
) -> None:
    quote("RELIANCE", "2500.00")
    web = start.web()
    bot = run(name, web, account().token, "NSE", "RELIANCE")
    wait_until(number_of_orders)
    web.kill()
    assert sweep_once(limit=10).executed == 1
    with cleaner.cursor() as cursor:  # nobody will tell of it
        for statement in (
            "SET session_replication_role = replica",
            "DELETE FROM event",
            "RESET session_replication_role",
        ):
            cursor.execute(statement)
    restart(web)
    start.worker()
    output, complaint = bot.communicate(timeout=60)
    assert (bot.returncode, complaint) == (0, "")
    assert output.splitlines() == [f"order.executed {side} RELIANCE at 2500.00" for side in ("BUY", "SELL")]


@pytest.mark.acceptance
@pytest.mark.parametrize("name", BOTS)
def test_a_bot_sends_an_order_again_whose_answer_has_a_head_only(
    name: str, run: Any, web: Running, start: ProcessStarter, account: Any, quote: Any
) -> None:
    quote("RELIANCE", "2500.00")
    start.worker()
    with contextlib.closing(Proxy(tcp_target(web.port))) as proxy:
        beheaded = proxy.add_rule("to_client", rb"^HTTP/1.1 202", "behead")
        bot = run(name, f"http://{HOST}:{proxy.port}", account().token, "NSE", "RELIANCE")
        output, complaint = bot.communicate(timeout=30)
    assert (bot.returncode, complaint, beheaded.fired) == (0, "", 1)
    assert output.splitlines() == [f"order.executed {side} RELIANCE at 2500.00" for side in ("BUY", "SELL")]
    assert number_of_orders() == 2  # one to buy and one to sell


@pytest.mark.acceptance
@pytest.mark.parametrize("name", BOTS)
def test_a_bot_says_why_it_is_refused(name: str, run: Any, web: Running, account: Any) -> None:
    bot = run(name, web, account().token, "NSE", "NOPRICE")
    output, complaint = bot.communicate(timeout=30)
    assert (bot.returncode, output) == (1, "")
    assert re.fullmatch(r"no_price: [A-Z].*\.\n", complaint)

    bot = run(name, web, "tp_nobody", "NSE", "NOPRICE")
    assert bot.communicate(timeout=30)[1] == "unauthenticated: The token is unknown, expired or revoked.\n"
    assert bot.returncode == 1


@pytest.mark.parametrize("name", BOTS)
def test_a_bot_is_short(name: str) -> None:
    lines = (ROOT / "examples" / name).read_text().splitlines()
    code = [line for line in lines if re.search(r"\w", line) and not re.match(r'import |//|"""', line)]
    assert len(code) <= MAX_LINES
