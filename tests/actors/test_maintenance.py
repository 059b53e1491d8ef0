"""The sweeper actor and the tick that starts it."""

import threading
from typing import Any

import dramatiq
import pytest
import redis

from actors import broker as broker_module
from actors import maintenance
from models.database import execute, session
from tests.actors.placing import make_older, place_quietly, status_of
from tests.processes import free_port, wait_until
from trading import redis_link
from trading.sweeping import TICK_LOCK_KEY


def test_the_sweeper_executes_what_is_older_than_an_interval(worker: dramatiq.Worker, account: Any) -> None:
    holder = account()
    old, young = place_quietly(holder), place_quietly(holder)
    make_older(old, 60_000)
    make_older(young, -60_000)
    maintenance.sweep_orders.send()
    wait_until(lambda: status_of(old) == "EXECUTED")
    worker.broker.join("maintenance", timeout=5_000)
    assert status_of(young) == "PENDING"


def test_a_full_batch_is_followed_by_the_next_at_once(account: Any, configured: None) -> None:
    holder = account()
    orders = [place_quietly(holder, quantity=1) for _ in range(120)]
    for order in orders:
        make_older(order, 5_000)
    maintenance.drain()
    assert {status_of(order) for order in orders} == {"EXECUTED"}


def test_a_drain_ends_when_another_tick_has_the_lock(account: Any, configured: None) -> None:
    order = place_quietly(account())
    make_older(order, 5_000)
    with session():
        execute("BEGIN")
        execute("SELECT pg_advisory_xact_lock(%s)", (TICK_LOCK_KEY,))
        drainer = threading.Thread(target=maintenance.drain)
        drainer.start()
        drainer.join(5)
        execute("ROLLBACK")
    assert not drainer.is_alive()
    assert status_of(order) == "PENDING"


def test_a_tick_enqueues_one_sweep_per_interval_for_the_whole_fleet(
    configured: None, clean: None, redis_client: redis.Redis
) -> None:
    for _ in range(5):
        maintenance.tick(60_000)
    assert redis_client.llen("tradepost:maintenance") == 1


def test_a_tick_without_redis_sweeps_by_itself_whatever_is_pending(
    account: Any, configured: None, settings: Any
) -> None:
    order = place_quietly(account())
    try:
        redis_link.configure(f"redis://127.0.0.1:{free_port()}")
        maintenance.tick(750)
    finally:
        broker_module.configure(settings, role="web")
    assert status_of(order) == "EXECUTED"


def test_a_tick_with_a_full_redis_sweeps_by_itself(account: Any, configured: None, redis_client: redis.Redis) -> None:
    order = place_quietly(account())
    make_older(order, 5_000)
    limit = redis_client.config_get("maxmemory")["maxmemory"]
    redis_client.config_set("maxmemory", 1)
    try:
        maintenance.tick(750)
    finally:
        redis_client.config_set("maxmemory", limit)
    assert status_of(order) == "EXECUTED"


def test_the_ticker_ticks_until_the_worker_stops(monkeypatch: pytest.MonkeyPatch, configured: None) -> None:
    ticked = threading.Event()
    monkeypatch.setattr(maintenance, "tick", lambda _: ticked.set())
    ticker = maintenance.Ticker()
    ticker.after_worker_boot(broker_module.broker, None)
    assert ticked.wait(5)
    ticker.before_worker_shutdown(broker_module.broker, None)
    assert not ticker._thread.is_alive()


def test_a_tick_that_raises_does_not_end_the_ticking(monkeypatch: pytest.MonkeyPatch, configured: None) -> None:
    ticks: list[int] = []

    def fail(interval_ms: int) -> None:
        ticks.append(interval_ms)
        raise ZeroDivisionError

    monkeypatch.setattr(maintenance, "tick", fail)
    ticker = maintenance.Ticker()
    ticker.after_worker_boot(broker_module.broker, None)
    wait_until(lambda: len(ticks) >= 2)
    ticker.before_worker_shutdown(broker_module.broker, None)
