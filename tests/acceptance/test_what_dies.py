"""Processes and servers die, and an accepted order is still executed exactly once."""

import signal
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from tests.acceptance.conftest import Trader
from tests.conftest import OwnCommands
from tests.support.processes import ProcessStarter, Running, wait_until
from tests.support.servers import Servers
from tests.support.trading import one
from trading.upkeep.verify import verify


def place_at_last(trader: Trader) -> str:
    """Place an order, again while a stopped worker holds the account, and return its id."""

    def accepted() -> Any:
        answer = trader.place(quantity=1)
        return answer.status_code == 202 and answer.json()["orderId"]

    return str(wait_until(accepted, what="the order is accepted"))


def test_a_killed_worker_loses_no_order(start: ProcessStarter, trader_of: Any) -> None:
    trader = trader_of(start.web())
    first = start.worker().wait_for_log("ready for action")
    order_ids = [trader.place(quantity=1).json()["orderId"] for _ in range(30)]
    first.signal_all(signal.SIGSTOP)  # what comes now is certainly not executed when it is killed
    order_ids += [place_at_last(trader) for _ in range(5)]
    assert trader.read(f"orders/{order_ids[-1]}")["status"] == "PENDING"
    first.kill()
    order_ids += [trader.place(quantity=1).json()["orderId"] for _ in range(10)]
    start.worker()
    for order_id in order_ids:
        trader.wait_for(order_id)
    (position,) = trader.read("positions")["data"]
    assert position["quantity"] == 45
    assert verify() == []


def test_a_worker_dyno_that_is_told_twice_to_stop_finishes_its_work(start: ProcessStarter, trader_of: Any) -> None:
    trader = trader_of(start.web())
    worker = start.worker().wait_for_log("ready for action")
    order_ids = [trader.place(quantity=1).json()["orderId"] for _ in range(20)]
    worker.signal_all(signal.SIGTERM)
    assert worker.terminate(25) == 0
    start.worker()
    for order_id in order_ids:
        trader.wait_for(order_id)
    assert verify() == []


@pytest.fixture
def own_processes(own_commands: OwnCommands, tmp_path: Any) -> Any:
    """Return a starter on this test's own servers, with a token and the command line there."""
    starter = ProcessStarter(own_commands.environment, tmp_path)
    yield starter, own_commands.account.token, own_commands.flask
    starter.stop()


def test_without_valkey_orders_are_accepted_and_executed(own_processes: Any, own_servers: Servers) -> None:
    starter, token, flask = own_processes
    web = starter.web()
    starter.worker().wait_for_log("ready for action")
    trader = Trader(web, token)
    answers = [trader.place(quantity=1) for _ in range(3)]
    usual = max(answer.elapsed for answer in answers)
    for answer in answers:
        trader.wait_for(answer.json()["orderId"])
    assert own_servers.valkey is not None
    own_servers.valkey.stop()

    answers = [trader.place(quantity=1) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202] * 3
    # Redis costs a placement a second at most; a busy machine holds up one or another, but not each.
    assert min(answer.elapsed for answer in answers) < usual + timedelta(seconds=1)
    assert max(answer.elapsed for answer in answers) < usual + timedelta(seconds=8)
    answer = answers[0]
    order = trader.wait_for(answer.json()["orderId"])
    # By the database's clock, however late it is looked at.
    placed_at, executed_at = (datetime.fromisoformat(order[name]) for name in ("placedAt", "executedAt"))
    assert executed_at - placed_at < timedelta(seconds=8)
    ready = requests.get(f"{web.base_url}/health/ready", timeout=30)
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")

    own_servers.valkey.start()
    wait_until(lambda: requests.get(f"{web.base_url}/health/ready", timeout=30).json()["status"] == "ok", timeout_s=30)
    trader.wait_for(trader.place().json()["orderId"])
    flask("ledger", "verify")  # exits 1 when a rule is broken


def test_a_restarted_database_costs_503s_and_no_order(own_processes: Any, own_servers: Servers) -> None:
    starter, token, flask = own_processes
    web: Running = starter.web()
    starter.worker().wait_for_log("ready for action")
    trader = Trader(web, token)
    accepted = [trader.place(quantity=1).json()["orderId"] for _ in range(5)]
    assert own_servers.postgres is not None
    own_servers.postgres.stop()

    answer = trader.place()
    assert answer.status_code == 503
    assert answer.json()["code"] == "service_unavailable"
    assert answer.headers["Retry-After"]
    assert requests.get(f"{web.base_url}/health/ready", timeout=30).status_code == 503

    own_servers.postgres.start()
    answer = wait_until(
        lambda: next((found for found in [trader.place(quantity=1)] if found.status_code == 202), None),
        timeout_s=30,
    )
    for order_id in [*accepted, answer.json()["orderId"]]:
        trader.wait_for(order_id)
    flask("ledger", "verify")  # exits 1 when a rule is broken


def test_a_web_process_killed_after_its_commit_leaves_the_order_to_the_sweeper(
    start: ProcessStarter, trader_of: Any
) -> None:
    web = start.web(REDIS_URL="redis://127.0.0.1:1")  # commits, and cannot send
    trader = trader_of(web)
    order_id = trader.place().json()["orderId"]
    web.kill()
    start.worker()

    def status() -> str:
        return str(one("SELECT status FROM trading_order WHERE id = %s", order_id))

    wait_until(lambda: status() == "EXECUTED", timeout_s=30)
    assert verify() == []
