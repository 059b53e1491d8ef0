"""The sweeper actor and the tick that starts it."""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import dramatiq
import pytest
import redis

from actors import broker as broker_module
from actors import maintenance, ticker
from models.database import execute, fetch_all, session
from runtime import redis_link
from tests.actors.placing import make_older, place_quietly, status_of
from tests.support import market_clock
from tests.support.processes import free_port, wait_until
from tests.support.trading import execute as execute_now
from tests.support.trading import one
from tests.trading.execution import market
from trading.execution.sweeping import TICK_LOCK_KEY

clock, set_up = market_clock.clock, market_clock.set_up


def test_the_sweeper_executes_orders_older_than_an_interval(
    worker: dramatiq.Worker, account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = SimpleNamespace(order_worker_interval_ms=3_600_000, order_worker_batch_limit=50)
    monkeypatch.setattr(maintenance, "settings", lambda: hour)
    holder = account()
    old, young = place_quietly(holder), place_quietly(holder)
    make_older(old, 3_600_000)
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
        ticker.tick(60_000)
    assert redis_client.llen("tradepost:maintenance") == 1


def announced(redis_client: redis.Redis) -> dict[str, int]:
    """Return how many messages of each actor wait, and check that every body has its place in the queue."""
    bodies = redis_client.hvals("tradepost:maintenance.msgs")
    assert redis_client.llen("tradepost:maintenance") == len(bodies)
    return dict(Counter(dramatiq.Message.decode(body).actor_name for body in bodies))


@contextlib.contextmanager
def without_redis(settings: Any) -> Iterator[None]:
    """Let this process reach no Redis while the block runs."""
    try:
        redis_link.configure(f"redis://127.0.0.1:{free_port()}")
        yield
    finally:
        redis_link.configure(settings.redis_url)


def nothing_was_done_yet() -> dict[int, float]:
    """Return the due times of periodic work in a process that starts."""
    return dict.fromkeys(range(len(ticker.PERIODIC)), 0.0)


def test_each_periodic_actor_is_enqueued_once_per_period_by_a_whole_fleet(
    configured: None, clean: None, redis_client: redis.Redis
) -> None:
    fleet = [nothing_was_done_yet() for _ in range(3)]
    for _ in range(2):
        for due in fleet:
            ticker._announce_periodic(due)
    assert announced(redis_client) == {actor.actor_name: 1 for actor, _ in ticker.PERIODIC}
    for actor, period_ms in ticker.PERIODIC:  # and not again for the most of the period
        assert period_ms / 2 < redis_client.pttl(ticker.tick_key(actor)) < period_ms


def test_in_the_next_period_a_periodic_actor_is_enqueued_again(
    configured: None, clean: None, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_000_000.0]
    monkeypatch.setattr(ticker, "time", SimpleNamespace(monotonic=lambda: clock[0], time=lambda: 0.0))
    due = nothing_was_done_yet()
    ticker._announce_periodic(due)
    period_s = max(period_ms for _, period_ms in ticker.PERIODIC) / 1000
    for passed_s, expected in ((period_s - 1, 1), (1, 2)):
        clock[0] += passed_s
        redis_client.delete(ticker.tick_key(maintenance.check_ledger))  # as it does before the period is over
        ticker._announce_periodic(due)
        assert announced(redis_client)["check_ledger"] == expected


def test_prices_are_recorded_on_the_minute_by_each_process_that_starts_or_goes_on(
    configured: None, clean: None, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1_000_000.0]
    # 20 s of the minute are over; the other clock counts from another time.
    fake = SimpleNamespace(monotonic=lambda: clock[0], time=lambda: clock[0] + 6_000_000_000 - 1_000_000 + 20)
    monkeypatch.setattr(ticker, "time", fake)
    due = ticker._first_times()
    for passed_s, expected in ((0, 0), (39, 0), (1, 1), (59, 1), (1, 2)):
        clock[0] += passed_s
        redis_client.delete(ticker.tick_key(maintenance.record_prices))
        ticker._announce_periodic(due)
        assert announced(redis_client).get("record_prices", 0) == expected


def test_a_message_records_the_prices(worker: dramatiq.Worker, clock: Any) -> None:
    clock("2026-11-02 10:00:01")
    maintenance.record_prices.send()
    wait_until(lambda: one("SELECT count(*) FROM price_recording") == 1)


def test_periodic_work_is_enqueued_once_redis_is_back(
    configured: None, clean: None, redis_client: redis.Redis, settings: Any
) -> None:
    due = nothing_was_done_yet()
    with without_redis(settings):
        ticker._announce_periodic(due)
    assert announced(redis_client) == {}
    ticker._announce_periodic(due)
    assert announced(redis_client) == {actor.actor_name: 1 for actor, _ in ticker.PERIODIC}


def test_enqueued_periodic_work_is_done_by_a_worker(
    worker_on_valkey: dramatiq.Worker, account: Any, cleaner: Any, database: Any
) -> None:
    holder = account()
    place_quietly(holder)
    with cleaner.cursor() as cursor:
        cursor.execute("UPDATE event SET at = at - interval '8 days' WHERE id <= 2")
        key = "INSERT INTO idempotency_key SELECT %s, 's', 'old', sha256('x'), '{}', now() - interval '30 hours'"
        cursor.execute(key, (str(holder.id),))
    ticker._announce_periodic(nothing_was_done_yet())
    wait_until(lambda: fetch_all("SELECT FROM ledger_check"), timeout_s=30, what="the ledger is checked")
    (check,) = fetch_all("SELECT * FROM ledger_check")
    assert check["violations"] == 0
    wait_until(lambda: not fetch_all("SELECT FROM idempotency_key"), timeout_s=30, what="old keys are deleted")
    assert fetch_all("SELECT min(id) AS first FROM event") == [{"first": 3}]


def test_a_tick_without_redis_sweeps_all_pending_orders_by_itself(
    account: Any, configured: None, settings: Any
) -> None:
    order = place_quietly(account())
    try:
        redis_link.configure(f"redis://127.0.0.1:{free_port()}")
        ticker.tick(750)
    finally:
        broker_module.configure(settings, role="web")
    assert status_of(order) == "EXECUTED"


def test_a_tick_with_a_full_redis_sweeps_by_itself(account: Any, configured: None, redis_client: redis.Redis) -> None:
    order = place_quietly(account())
    make_older(order, 5_000)
    limit = redis_client.config_get("maxmemory")["maxmemory"]
    redis_client.config_set("maxmemory", 1)
    try:
        ticker.tick(750)
    finally:
        redis_client.config_set("maxmemory", limit)
    assert status_of(order) == "EXECUTED"


def test_the_ticker_ticks_until_the_worker_stops(monkeypatch: pytest.MonkeyPatch, configured: None) -> None:
    ticked = threading.Event()
    monkeypatch.setattr(ticker, "tick", lambda _: ticked.set())
    thread = ticker.Ticker()
    thread.after_worker_boot(broker_module.broker, None)
    assert ticked.wait(5)
    thread.before_worker_shutdown(broker_module.broker, None)
    assert not thread._thread.is_alive()


def test_a_tick_that_raises_does_not_end_the_ticking(monkeypatch: pytest.MonkeyPatch, configured: None) -> None:
    ticks: list[int] = []

    def fail(interval_ms: int) -> None:
        ticks.append(interval_ms)
        raise ZeroDivisionError

    monkeypatch.setattr(ticker, "tick", fail)
    thread = ticker.Ticker()
    thread.after_worker_boot(broker_module.broker, None)
    wait_until(lambda: len(ticks) >= 2)
    thread.before_worker_shutdown(broker_module.broker, None)


def test_orders_expire_by_a_message_and_without_redis(
    worker: dramatiq.Worker, account: Any, settings: Any, clean: None
) -> None:
    market.quote("99.95", "101.00", "100.50")
    holder = account().id
    over = [market.rest(holder, "BUY", 1, price="10.00", ends_at=market.now()) for _ in range(2)]
    maintenance.expire_orders.send()
    wait_until(lambda: all(market.state(order)[0] == "EXPIRED" for order in over))
    worker.broker.join("maintenance", timeout=5_000)
    late = market.rest(holder, "BUY", 1, price="10.00", ends_at=market.now())
    with without_redis(settings):
        ticker._announce_periodic(nothing_was_done_yet())
    assert market.state(late)[0] == "EXPIRED"


def test_after_market_orders_are_released_by_a_message_and_without_redis_and_then_executed(
    worker: dramatiq.Worker, account: Any, settings: Any, clean: None
) -> None:
    market.quote("99.95", "101.00", "100.50")
    holder = account(fill_model="QUOTES").id
    held = [market.hold(holder) for _ in range(2)]
    maintenance.release_orders.send()
    wait_until(lambda: all(market.state(order)[0] == "OPEN" for order in held))
    worker.broker.join("maintenance", timeout=5_000)
    late = market.hold(holder)
    with without_redis(settings):
        ticker._announce_periodic(nothing_was_done_yet())
    assert market.state(late)[0] == "OPEN"


def test_the_daily_work_is_done_by_a_message_and_without_redis(
    worker: dramatiq.Worker, account: Any, settings: Any, clock: Any, set_up: Any
) -> None:
    holder = account(fill_model="QUOTES").id
    for day in ("2026-11-02", "2026-11-03"):
        clock(f"{day} 15:00")
        market.quote("99.95", "100.00", "99.98")
        execute_now(market.rest(holder, "BUY", 1, price="100.00"))
        clock(f"{day} 15:12:40")
        market.quote("99.95", "100.00", "99.98")
        if day == "2026-11-02":
            maintenance.do_daily_work.send()
            wait_until(lambda: fetch_flat() == [{"quantity": 0}])
            worker.broker.join("maintenance", timeout=5_000)
    with without_redis(settings):
        ticker._announce_periodic(nothing_was_done_yet())
    assert fetch_flat() == [{"quantity": 0}]


def fetch_flat() -> list[dict[str, Any]]:
    """Return the quantities of all positions."""
    with session():
        return fetch_all("SELECT quantity FROM position")


def test_the_level_sweep_matches_what_no_quote_has_matched(account: Any, configured: None, clean: None) -> None:
    market.quote("99.95", "101.00", "100.50")
    order = market.rest(account().id, "BUY", 1, price="100.00")
    maintenance.drain()
    assert market.state(order)[0] == "OPEN"
    with session():
        execute("UPDATE stock SET ask_price = 99.00")  # as if the quote had not seen the order
    maintenance.sweep_levels.fn()
    maintenance.drain()
    assert market.state(order)[0] == "EXECUTED"
