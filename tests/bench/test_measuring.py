"""The measurements of the benchmarks: paced placements, a swept backlog, Dramatiq's own consumer."""

import subprocess
import sys

import redis

from bench.clients.load import Connection, build_requests, exchange, order_request
from bench.clients.pace import place_at_pace
from bench.clients.pgbench import run_pgbench
from bench.clients.watchers import WatchingCrowd
from bench.parts.backlog import fill, sweep_rate
from bench.parts.resting import (
    ABOVE,
    LIMIT,
    RESTING_PREFIX,
    Feeder,
    count_matched,
    count_resting,
    end_all_now,
    fill_resting,
    quote_stocks,
)
from bench.seeding import ACCOUNTS, EXCHANGE, seed, token_of
from bench.services import Services
from tests.support.processes import ROOT, ProcessStarter, Running
from trading.execution.sweeping import MAX_BATCH
from trading.upkeep.backlog import count_pending
from trading.upkeep.verify import verify


def test_orders_are_sent_at_the_given_pace(web: Running) -> None:
    seed()
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


def test_the_resting_orders_of_the_benchmark_keep_the_ledgers_right_and_are_matched(
    start: ProcessStarter, web: Running
) -> None:
    seed()
    assert fill_resting(2 * ACCOUNTS, stocks=20) == 2 * ACCOUNTS == count_resting()
    assert (count_pending(), count_matched()) == (0, 0)
    assert verify() == []
    feeder = Feeder(Services("", redis.Redis(), start, web), connects=False)
    assert feeder.rate([feeder.request(range(1, 21), ABOVE)], quotes=20, seconds=0.2) > 0
    _, matched = feeder.send(feeder.request([7], LIMIT), accepted=1)
    assert matched == count_matched() == 2 * ACCOUNTS // 20
    end_all_now()
    assert count_resting() == 2 * ACCOUNTS - matched


def test_the_stock_worker_polls_as_dramatiq_does(process_environment: dict[str, str]) -> None:
    code = (
        "from dramatiq.brokers.redis import RedisBroker; from actors.broker import broker;"
        " from bench import stock_worker; stock_worker.boot(); assert broker.consumer_class is RedisBroker(url='redis://').consumer_class"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=process_environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_watchers_of_the_benchmark_get_quotes_and_events(start: ProcessStarter, web: Running) -> None:
    seed()
    quote_stocks(stocks=20)
    assert web.port is not None
    feeder = Feeder(Services("", redis.Redis(), start, web), connects=False)
    crowd = WatchingCrowd(web.port)
    keys = [f"{EXCHANGE}:{RESTING_PREFIX}{number}" for number in range(1, 21)]
    crowd.join([token_of(number) for number in range(1, 11)], keys, 20)
    crowd.measure(0.5)  # the quotes as they are
    feeder.send(feeder.request(range(1, 21), ABOVE), accepted=20)
    order = order_request(web.port, 10)  # of the listener that reads its messages
    exchange(Connection(web.port), order)
    found = crowd.measure(3.0)
    assert found.ticks == 10 * 20
    assert len(found.tick_delays_ms) == 20
    assert len(found.event_delays_ms) == 2
    assert all(0 < delay < 3_000 for delay in (*found.tick_delays_ms, *found.event_delays_ms))
