"""Serverless: execution after the response or from a schedule, with neither a worker nor a broker."""

import importlib.util
import urllib.error
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import requests

from tests.acceptance.conftest import Trader
from tests.support.processes import ROOT, ProcessStarter, wait_until
from trading.upkeep.verify import verify

INLINE = {"TRADEPOST_ENV": "production", "ORDER_DISPATCH": "inline", "REDIS_URL": ""}
NOTHING = INLINE | {"ORDER_DISPATCH": "none"}
BLOCKED = "SELECT min(pid) FROM pg_stat_activity WHERE application_name = 'tradepost-web' AND wait_event_type = 'Lock'"


def test_an_order_whose_instance_ends_after_the_answer_is_executed_by_the_cron_job(
    start: ProcessStarter, account: Callable[..., Any], connect: Callable[[], Any], setting_values: dict[str, str]
) -> None:
    owner = account()
    web = start.web(**INLINE)
    trader = Trader(web, owner.token)
    trader.wait_for(trader.place().json()["orderId"])  # executed after the answer, by the same process

    other, watcher = connect(), connect()
    watcher.autocommit = True  # in one transaction it would see the same activity again and again
    other.cursor().execute("LOCK TABLE position IN SHARE MODE")  # placing reads positions, executing writes one
    order_id = trader.place().json()["orderId"]
    blocked = wait_until(lambda: _one(watcher, BLOCKED), what="the execution waits")
    web.kill()
    other.rollback()
    session = f"SELECT count(*) FROM pg_stat_activity WHERE pid = {blocked}"
    wait_until(lambda: not _one(watcher, session), what="the database has let go of it")

    again = start.web(**INLINE)
    assert Trader(again, owner.token).read(f"orders/{order_id}")["status"] == "PENDING"
    cron = {"Authorization": f"Bearer {setting_values['CRON_SECRET']}"}
    report = requests.get(f"{again.base_url}/api/cron/order-worker", headers=cron, timeout=10).json()
    assert (report["claimed"], report["executed"], report["remaining"]) == (1, 1, 0)
    assert Trader(again, owner.token).read(f"orders/{order_id}")["status"] == "EXECUTED"
    assert verify() == []


def _one(connection: Any, sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


class Context:
    """What AWS Lambda tells a function about its invocation, as far as the handler asks."""

    def __init__(self, remaining_ms: int = 55_000) -> None:
        self._remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        return self._remaining_ms


@pytest.fixture
def function() -> ModuleType:
    """Load the handler as Lambda does: by its file."""
    spec = importlib.util.spec_from_file_location("handler", ROOT / "examples/lambda/handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_scheduled_function_executes_the_orders_of_a_serverless_deployment(
    start: ProcessStarter,
    account: Callable[..., Any],
    connect: Callable[[], Any],
    function: ModuleType,
    setting_values: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    web = start.web(**NOTHING)
    trader = Trader(web, account().token)
    answers = [trader.place(quantity=1) for _ in range(7)]
    assert {answer.status_code for answer in answers} == {202}
    assert {order["status"] for order in trader.read("orders")["data"]} == {"PENDING"}
    assert requests.get(f"{web.base_url}/health/ready", timeout=5).json()["broker"] == "disabled"

    monkeypatch.setenv("TRADEPOST_URL", f"{web.base_url}/")
    monkeypatch.setenv("ORDER_WORKER_BATCH_LIMIT", "3")
    monkeypatch.setenv("CRON_SECRET", "not-the-secret")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        function.handler({}, Context())

    monkeypatch.setenv("CRON_SECRET", setting_values["CRON_SECRET"])
    assert function.handler({}, Context(remaining_ms=1_000))["calls"] == 0
    with connect().cursor() as other:  # another call has one order in hand; it is not asked for again and again
        other.execute("SELECT FROM trading_order WHERE id = %s FOR UPDATE", (answers[0].json()["orderId"],))
        totals = function.handler({}, Context())
        assert totals == {"claimed": 6, "executed": 6, "rejected": 0, "failed": 0, "remaining": 1, "calls": 3}
        other.connection.rollback()
    totals = function.handler({"version": "0", "detail-type": "Scheduled Event"}, Context())
    assert (totals["executed"], totals["remaining"], totals["calls"]) == (1, 0, 1)
    assert {order["status"] for order in trader.read("orders")["data"]} == {"EXECUTED"}
    assert verify() == []
