"""Metrics of several processes: one answer holds the counts of all."""

import re
from pathlib import Path
from typing import Any

import pytest
import requests

from config import Settings
from runtime import addresses
from tests.conftest import METRICS_TOKEN
from tests.realtime.clients import Stream
from tests.realtime.tickers import Ticker
from tests.support.metrics import Metrics, is_served
from tests.support.processes import ROOT, ProcessStarter, Running, free_port, wait_until
from tests.support.servers import SHARDS

DOCUMENT = ROOT / "docs" / "observability.md"
FILES = [DOCUMENT, *sorted((ROOT / "docs" / "observability").iterdir())]
TOKEN = {"Authorization": f"Bearer {METRICS_TOKEN}"}
# Told once the worker has got round to it, which tests/api/test_metrics.py waits for, or something has gone wrong.
TOLD_LATER = {
    "tradepost_ledger_violations",
    "tradepost_ledger_check_age_seconds",
    "dramatiq_message_errors_total",
    "dramatiq_message_retries_total",
    "dramatiq_message_rejects_total",
    "tradepost_session_days_left",  # with MARKET_CALENDAR
}
# Where there are several buckets of accounts, each has a pool, and one is for what they share.
POOLS = 1 if SHARDS == 1 else SHARDS + 1
METRIC = re.compile(r"\b(?:tradepost|dramatiq)_[a-z_]+\b")


def read(url: str) -> Metrics:
    response = requests.get(f"{url}/metrics", headers=TOKEN, timeout=30)
    assert response.status_code == 200, response.text
    return Metrics(response.text)


def names_in(file: Path) -> set[str]:
    """Return the metrics that a file names."""
    return set(METRIC.findall(file.read_text()))


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Return a folder for the counts of this test's processes alone."""
    return str(tmp_path / "metrics")


def test_one_answer_holds_the_counts_of_every_process(
    start: ProcessStarter, trader_of: Any, folder: str, settings: Settings
) -> None:
    web = start.web(WEB_CONCURRENCY="2", METRICS_DIR=folder)
    start.worker(WORKER_PROCESSES="2", METRICS_DIR=folder)
    trader = trader_of(web)
    order_ids = place_until_sent(web, trader, 12)
    for order_id in order_ids:
        trader.wait_for(order_id)
    assert trader.place(quantity=0).status_code == 422
    placed, wait = len(order_ids), {"timeout_s": 30}
    allowed = 2 * POOLS * settings.database_pool_size
    wait_until(lambda: read(web.base_url)("dramatiq_messages_total", actor_name="execute_order") >= 12, **wait)
    wait_until(lambda: read(web.base_url)("tradepost_executions_total", outcome="executed") == placed, **wait)
    steps = "tradepost_placement_step_seconds_count"  # a process records its steps within a second
    wait_until(lambda: read(web.base_url)(steps, step="commit") == placed, **wait)
    for metrics in [read(web.base_url) for _ in range(4)]:  # whichever process answers
        assert metrics("tradepost_placements_total", outcome="accepted", process="web") == placed
        assert metrics("tradepost_placements_total", outcome="validation_failed") == 1
        assert metrics(steps, step="commit") == placed
        assert metrics("tradepost_executions_total", outcome="executed", process="worker") == placed
        assert metrics("tradepost_dispatches_total", outcome="sent") == 12
        assert metrics("tradepost_dispatches_total", outcome="failed") == placed - 12
        assert metrics("tradepost_database_pool", state="allowed", process="web") == allowed
    _the_files_name_what_there_is(web)
    _a_listener_is_counted_while_it_listens(web, trader.http.headers["Authorization"].removeprefix("Bearer "))
    _counts_survive_a_process_and_gauges_do_not(web, placed)


def place_until_sent(web: Running, trader: Any, count: int) -> list[str]:
    """Place orders until so many were sent to the workers: to a busy machine Redis may seem away, and one is not.

    An order is sent after its answer, so that each is waited for: a count that came late would have one more placed.
    """
    order_ids: list[str] = []

    def ended(*outcomes: str) -> float:
        metrics = read(web.base_url)
        return sum(metrics("tradepost_dispatches_total", outcome=outcome) for outcome in outcomes)

    while ended("sent") < count:
        assert len(order_ids) < 20 * count
        order_ids.append(trader.place(quantity=1).json()["orderId"])
        wait_until(lambda: ended("sent", "failed") == len(order_ids), timeout_s=30)
    return order_ids


def _the_files_name_what_there_is(web: Running) -> None:
    wait_until(lambda: read(web.base_url)("tradepost_up") == 2, timeout_s=30)  # on a busy machine Redis may seem away
    metrics = read(web.base_url)
    assert len(FILES) == 3
    for file in FILES:
        assert len(names_in(file)) > 10, file
        there = metrics.names | (set(metrics.types) if file == DOCUMENT else set())
        assert names_in(file) - there <= TOLD_LATER, file
    told = {name for name in metrics.types if name.startswith("tradepost_")}
    assert told <= {name.removesuffix("_total") for name in names_in(DOCUMENT)}


def _a_listener_is_counted_while_it_listens(web: Running, token: str) -> None:
    def listeners(state: str = "connected") -> float:
        return read(web.base_url)("tradepost_listeners", state=state)

    assert listeners() == 0
    with Stream(web.port, token, query="?since=0") as stream:
        assert stream.ready() > 0
        wait_until(lambda: listeners() == 1, timeout_s=30)
        assert read(web.base_url)("tradepost_stream_replays_total", outcome="replayed") == 1
        assert listeners("tickers") == 0
    wait_until(lambda: listeners() == 0, timeout_s=30)
    with Ticker(web.port, token):
        wait_until(lambda: listeners() == listeners("tickers") == 1, timeout_s=30)
    wait_until(lambda: listeners() == listeners("tickers") == 0, timeout_s=30)


def _counts_survive_a_process_and_gauges_do_not(web: Running, placed: int) -> None:
    dead = web.children()[0]
    assert str(dead.pid) in pids(read(web.base_url))
    dead.kill()
    wait_until(lambda: str(dead.pid) not in pids(read(web.base_url)) and len(web.children()) == 2, timeout_s=30)
    assert read(web.base_url)("tradepost_placements_total", outcome="accepted") == placed


def pids(metrics: Metrics) -> set[str]:
    """Return the web processes whose pools are told of."""
    pools = [sample.labels for sample in metrics.samples if sample.name == "tradepost_database_pool"]
    return {labels["pid"] for labels in pools if labels["process"] == "web"}


def test_workers_of_another_machine_have_a_port_of_their_own(
    start: ProcessStarter, trader_of: Any, tmp_path: Path
) -> None:
    port = free_port()
    there = {"METRICS_DIR": str(tmp_path / "there"), "METRICS_PORT": str(port)}
    web = start.web(METRICS_DIR=str(tmp_path / "here"))
    first = start.worker(**there)
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: is_served(url) and read(url).names, timeout_s=60, what="the worker's metrics")
    second = start.worker(**there)  # its port is taken: the first one tells of both
    trader = trader_of(web)
    trader.wait_for(trader.place().json()["orderId"])
    executions = {"outcome": "executed", "process": "worker"}
    told = lambda: f"one execution is counted: {read(url).samples}\n{first.log}\n{second.log}"  # noqa: E731
    wait_until(lambda: read(url)("tradepost_executions_total", **executions) == 1, timeout_s=30, what=told)
    assert read(url)("tradepost_placements_total", outcome="accepted") == 0
    assert read(web.base_url)("tradepost_executions_total", outcome="executed") == 0
    assert requests.get(f"{url}/metrics", timeout=5).status_code == 401
    if "[::]" in addresses.all_interfaces():
        assert requests.get(f"http://[::1]:{port}/metrics", timeout=5).status_code == 401
    second.wait_for_log("metrics_not_served")
    wait_until(lambda: read(url)("tradepost_database_pool", state="allowed") == 2 * POOLS * (4 + 2), timeout_s=30)
    assert second.is_running
