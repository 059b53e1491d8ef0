"""The measurements of the benchmarks: paced placements, a swept backlog, Dramatiq's own consumer."""

import subprocess
import sys

from bench.clients.load import build_requests
from bench.clients.pace import place_at_pace
from bench.clients.pgbench import run_pgbench
from bench.parts.backlog import fill, sweep_rate
from bench.seeding import ACCOUNTS, seed
from tests.support.processes import ROOT, ProcessStarter
from trading.execution.sweeping import MAX_BATCH
from trading.upkeep.backlog import count_pending
from trading.upkeep.verify import verify


def test_orders_are_sent_at_the_given_pace(start: ProcessStarter) -> None:
    seed()
    web = start.web()
    assert web.port is not None
    load = place_at_pace(web.port, build_requests(ACCOUNTS, port=web.port), connections=4, seconds=1.0, rate=40)
    assert (load.placed, load.errors) == (40, {})
    assert all("place;dur=" in timing for timing in load.timings)
    assert count_pending() == 40


def test_pgbench_keeps_the_given_pace_and_times_every_transaction(clean: None, database_url: str) -> None:
    seed()
    reference = run_pgbench(database_url, accounts=ACCOUNTS, clients=2, seconds=1, rate=50)
    assert len(reference.latencies_ms) == reference.transactions == count_pending() > 0
    assert all(0 < latency < 10_000 for latency in reference.latencies_ms)
    assert run_pgbench(database_url, accounts=ACCOUNTS, clients=1, seconds=1).latencies_ms == ()


def test_the_backlog_of_the_benchmark_keeps_the_ledgers_right(clean: None) -> None:
    seed()
    assert fill(ACCOUNTS) == ACCOUNTS == count_pending()
    assert sweep_rate(MAX_BATCH, limit=MAX_BATCH) > 0
    assert count_pending() == ACCOUNTS - MAX_BATCH
    assert verify() == []


def test_the_stock_worker_polls_as_dramatiq_does(process_environment: dict[str, str]) -> None:
    code = (
        "from dramatiq.brokers.redis import RedisBroker; from actors.broker import broker;"
        " from bench import stock_worker; stock_worker.boot(); assert broker.consumer_class is RedisBroker(url='redis://').consumer_class"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=process_environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
