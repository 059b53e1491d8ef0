"""F39 and F40: processes that die around a match, and feeders that err, against orders that rest."""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.faults.checks import SWEPT_S, heal_drain_check
from tests.faults.machine import Machine
from tests.faults.markets import QUOTES, SYMBOL, Market, moment
from tests.faults.system import System
from tests.faults.workload import Request
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults

CROSSING = ("98.40", "98.50", "98.45")
END = "UPDATE trading_order SET expires_at = clock_timestamp() WHERE id = %s"
HOLD = "SELECT FROM account WHERE id = %s FOR NO KEY UPDATE"


@pytest.fixture(scope="module")
def systems() -> Iterator[list[System]]:
    """Keep the last system of this file, until the next one takes its place."""
    kept: list[System] = []
    yield kept
    for system in kept:
        system.close()


@pytest.fixture
def system(machine: Machine, systems: list[System], tmp_path_factory: pytest.TempPathFactory) -> System:
    """Return processes whose accounts trade on quotes: those of the last test, unless it left them with a fault."""
    if not (systems and systems[0].is_whole):
        while systems:
            systems.pop().close()
        machine.start()
        systems.append(System(machine, tmp_path_factory.mktemp("market"), **QUOTES).start())
    systems[0].begin_anew()
    return systems[0]


@pytest.fixture
def market(system: System) -> Market:
    """Return a trader and a feeder of that system."""
    return Market(system)


def filled_once(market: Market, order_id: str, price: float, rule: str) -> dict[str, Any]:
    """Wait until an order is executed, and check its price, its evidence and its events."""
    order = market.wait_for(order_id, "EXECUTED")
    assert (order["average_price"], order["fill"]["rule"]) == (price, rule)
    assert market.events(order_id).count("order.executed") == 1
    assert market.system.sql("SELECT sum(quantity) FROM position") == [(10,)]
    return order


def test_f39_killed_before_the_commit_of_a_quote_the_next_try_matches(market: Market, system: System) -> None:
    order_id = market.rest()
    armed = system.arm("web_dies_before_quotes_commit")
    with system.kept():
        request = market.put(*CROSSING)
    assert not armed.exists()
    assert request.answers[0] is None
    assert request.document["matched"] == 1
    filled_once(market, order_id, 99.0, "book")
    heal_drain_check(system, market.workload)


def test_f39_killed_between_a_quotes_commit_and_its_messages_the_sweeper_fills(market: Market, system: System) -> None:
    order_id = market.rest()
    armed = system.arm("web_dies_before_quotes_messages")
    with system.kept():
        request = market.put(*CROSSING, quotedAt=moment())
    assert not armed.exists()
    assert (request.answers[0], request.document["matched"]) == (None, 0)
    assert request.document["notMatched"][0]["outcome"] == "stale"
    matched = market.wait_for(order_id, "EXECUTED", SWEPT_S)
    assert matched["match_price"] == 99.0
    filled_once(market, order_id, 99.0, "book")
    heal_drain_check(system, market.workload)


def test_f39_killed_between_a_match_and_its_fill_it_is_filled_once_at_its_match(market: Market, system: System) -> None:
    order_id = market.rest()
    armed = system.arm("worker_dies_before_commit")
    with system.kept():
        market.quote(*CROSSING)
        system.wait_for_hit(armed)
        market.quote("120.00", "121.00", "120.50")  # the market has traded the order: a later price is not its own
        filled_once(market, order_id, 99.0, "book")
    heal_drain_check(system, market.workload)


@pytest.mark.parametrize("point", ["worker_dies_between_looks", "worker_dies_while_opening"])
def test_f39_killed_between_a_look_and_the_opening_no_crossing_is_lost(
    market: Market, system: System, point: str
) -> None:
    armed = system.arm(point)
    killed = system.workers[0]
    order_id = market.place()
    system.wait_for_hit(armed)
    wait_until(lambda: not killed.is_running, timeout_s=20, what="the worker has ended")
    assert market.status(order_id) == "PENDING"
    market.quote(*CROSSING)  # nobody watches the order yet; its next look is at this quote
    with system.kept():
        filled_once(market, order_id, 98.5, "first_look")
    heal_drain_check(system, market.workload)


def test_f39_killed_in_mid_expiry_an_order_ends_once_and_gives_its_money_back(market: Market, system: System) -> None:
    order_id = market.rest()
    armed = system.arm("worker_dies_in_expiry")
    with system.kept():
        system.change(market.trader.account_id, END, order_id)
        system.wait_for_hit(armed)
        market.wait_for(order_id, "EXPIRED")
    assert market.events(order_id) == ["order.pending", "order.open", "order.expired"]
    assert system.sql("SELECT DISTINCT blocked_margin FROM account") == [(0,)]
    assert market.quote(*CROSSING)["matched"] == 0
    heal_drain_check(system, market.workload)


def test_f39_without_redis_orders_open_match_fill_and_expire(market: Market, system: System) -> None:
    system.broker_proxy.refuse()
    matched, ended = market.rest(), market.rest("50.00")
    assert market.quote(*CROSSING)["matched"] == 1
    filled_once(market, matched, 99.0, "book")
    system.change(market.trader.account_id, END, ended)
    market.wait_for(ended, "EXPIRED")
    heal_drain_check(system, market.workload)
    system.is_whole = False  # its processes avoid Redis for a while


def test_f40_of_two_feeders_the_one_with_the_older_quote_changes_nothing(market: Market, system: System) -> None:
    order_id = market.rest()
    older, newer = moment(), moment(0.5)
    assert market.quote("99.90", "100.90", "100.00", quotedAt=newer)["accepted"] == 1
    late = market.quote(*CROSSING, quotedAt=older)
    assert (late["accepted"], late["matched"]) == (0, 0)
    assert late["notMatched"][0]["outcome"] == "stale"
    repeated = market.quote("99.90", "100.90", "100.00", quotedAt=newer)
    assert repeated["notMatched"][0]["outcome"] == "stale"
    assert market.status(order_id) == "OPEN"
    stock = "SELECT ask_price FROM stock WHERE symbol = %s"
    assert system.sql(stock, SYMBOL)[0][0] == system.sql("SELECT 100.90::numeric")[0][0]
    time.sleep(0.6)  # until the newer quote's time has come
    assert market.quote(*CROSSING)["matched"] == 1
    filled_once(market, order_id, 99.0, "book")
    heal_drain_check(system, market.workload)


def test_f40_a_feeder_whose_clock_is_ahead_neither_matches_nor_blocks_the_others(
    market: Market, system: System
) -> None:
    order_id = market.rest()
    ahead = market.quote(*CROSSING, quotedAt=moment(3600))
    assert (ahead["accepted"], ahead["matched"]) == (0, 0)
    assert ahead["notMatched"][0]["outcome"] == "future"
    assert market.status(order_id) == "OPEN"
    assert market.quote("98.90", "99.00", "98.95")["matched"] == 1
    filled_once(market, order_id, 99.0, "book")
    heal_drain_check(system, market.workload)


@pytest.mark.parametrize("races", [40, pytest.param(200, marks=pytest.mark.long)])
def test_f39_of_a_cancel_and_the_crossing_quote_one_wins_every_time(market: Market, system: System, races: int) -> None:
    chance = random.Random(13)
    outcomes: Counter[tuple[str, int | None]] = Counter()
    with ThreadPoolExecutor(1) as pool:
        for _ in range(races // 10):
            orders = [market.rest(quantity=1) for _ in range(10)]
            for order_id in orders:
                outcomes[race(market, chance, pool, order_id)] += 1
                market.quote("99.95", "101.00", "100.00")
    print(f"\n{outcomes}")
    assert set(outcomes) == {("CANCELLED", 200), ("EXECUTED", 409)}
    heal_drain_check(system, market.workload)


def race(market: Market, chance: random.Random, pool: ThreadPoolExecutor, order_id: str) -> tuple[str, int | None]:
    """Cancel an order beside a quote that crosses it; return its final status and the answer to the cancel."""
    begun = threading.Barrier(2)
    cancel = Request("cancel", "DELETE", f"/api/trading/orders/{order_id}", None, None)
    canceller = market.workload.add_client()
    before_s = chance.uniform(0.0, 0.006)

    def cross() -> None:
        begun.wait(30)
        time.sleep(before_s)
        market.quote(*CROSSING)

    crossing = pool.submit(cross)
    begun.wait(30)
    time.sleep(chance.uniform(0.0, 0.006))
    canceller.settle(cancel)
    crossing.result()
    wait_until(lambda: market.status(order_id) not in ("PENDING", "OPEN"), timeout_s=20)
    return market.status(order_id), cancel.status


def test_f39_a_quote_and_its_fill_delivered_to_four_workers_three_times_fill_once(
    market: Market, system: System
) -> None:
    order_id = market.rest()
    for _ in range(3):
        system.start_worker(WORKER_PROCESSES="1")
    at = moment()
    matched = []
    for _ in range(3):
        matched.append(market.quote(*CROSSING, quotedAt=at)["matched"])
        system.enqueue(order_id, 12)
    assert matched == [1, 0, 0]
    filled_once(market, order_id, 99.0, "book")
    wait_until(lambda: system.redis.hlen("tradepost:orders.msgs") == 0, timeout_s=30, what="all messages are handled")
    lines = "".join(worker.log for worker in system.workers).splitlines()
    assert len([line for line in lines if " executed " in line and order_id in line]) == 1
    heal_drain_check(system, market.workload)


@contextlib.contextmanager
def held(system: System, account_id: str) -> Iterator[None]:
    """Hold an account's row as an operator's open transaction does."""
    session = system.connect(account_id)
    session.autocommit = False
    try:
        session.cursor().execute(HOLD, (account_id,))
        yield
    finally:
        session.close()


@pytest.mark.parametrize("seconds", [6.0, pytest.param(40.0, marks=pytest.mark.long)])
def test_f39_an_account_held_with_an_order_to_open_and_a_cancel_in_hand_delays_no_quote(
    market: Market, system: System, seconds: float
) -> None:
    stuck = market.workload.open_account("Stuck")
    client = market.workload.add_client(stuck)
    resting = market.workload.add_client(stuck)
    body = {"side": "BUY", "symbol": SYMBOL, "quantity": 1, "price": "99.50"}
    crossed = str(resting.place(**body).document["orderId"])
    market.wait_for(crossed, "OPEN")
    opening = str(client.place(**body | {"price": "90.00"}).document["orderId"])
    times: list[float] = []
    with ThreadPoolExecutor(1) as pool, held(system, stuck):
        cancel = Request("cancel", "DELETE", f"/api/trading/orders/{crossed}", None, None)
        cancelling = pool.submit(client.settle, cancel, seconds + 60)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            order_id = market.rest("99.00", quantity=1)
            for quote in (CROSSING, ("99.95", "101.00", "100.00")):
                start = time.monotonic()
                market.quote(*quote)
                times.append(time.monotonic() - start)
            market.wait_for(order_id, "EXECUTED", 5.0)
        assert market.order(crossed)["matched_at"] is not None
        assert market.status(crossed) == "OPEN"
    cancelling.result()
    assert cancel.status == 409
    assert cancel.document["code"] == "order_not_open"
    times.sort()
    print(f"\n{len(times)} quotes: p50 {times[len(times) // 2]:.3f}, longest {times[-1]:.3f} s")
    assert times[-1] < 0.9  # one that meets a held order's row waits for 1 s
    market.wait_for(crossed, "EXECUTED")
    wait_until(lambda: market.status(opening) in ("OPEN", "EXECUTED"), timeout_s=20)
    heal_drain_check(system, market.workload)
