"""The pool lends idle connections at once, and makes new ones in threads of their own."""

import functools
import threading
import time

import psycopg2
import pytest

from models import pool
from models.connections import Server
from models.pool import Pool
from tests.support.processes import wait_until
from tests.support.trading import at_once

REFUSED = "connection refused"
FULL = 'FATAL:  too many connections for role "tradepost"'


class Connects:
    """Connects to the real server; a test can make them fail or wait."""

    def __init__(self, url):
        self.server = Server(url, "tradepost-test")
        self.failure = None
        self.count = 0
        self.under_way = 0
        self.at_once = 0
        self.may_end = threading.Event()
        self.may_end.set()

    def __call__(self):
        self.count += 1
        self.under_way += 1
        self.at_once = max(self.at_once, self.under_way)
        try:
            assert self.may_end.wait(20)
            if self.failure:
                raise psycopg2.OperationalError(self.failure)
            return self.server.connect()
        finally:
            self.under_way -= 1


@pytest.fixture
def connects(migrated, database_url):
    return Connects(database_url)


@pytest.fixture
def pool_of(connects):
    """Return a function that makes a pool of a given size; the fixture closes its connections."""
    pools = []

    def make(size):
        pools.append(Pool(connects, size))
        return pools[-1]

    yield make
    connects.may_end.set()
    for made in pools:
        made.retire()


@pytest.fixture
def long_pause(monkeypatch):
    """Make the pause after a failed connect longer than any test."""
    monkeypatch.setattr(pool, "MIN_PAUSE_S", 60.0)
    monkeypatch.setattr(pool, "MAX_PAUSE_S", 60.0)


def timed(action):
    start = time.monotonic()
    result = action()
    return time.monotonic() - start, result


def in_thread(action):
    thread = threading.Thread(target=action)
    thread.start()
    return thread


def refusal_of(action):
    with pytest.raises(psycopg2.OperationalError) as caught:
        action()
    return str(caught.value)


def test_the_connection_used_last_is_lent_first(pool_of, connects):
    made = pool_of(3)
    first, second = made.take(5), made.take(5)
    made.give_back(first)
    made.give_back(second)
    assert [made.take(5), made.take(5)] == [second, first]
    assert (connects.count, made.open, made.in_use) == (2, 2, 2)


def test_an_idle_connection_is_lent_right_after_a_connect_has_failed(pool_of, connects, long_pause):
    made = pool_of(3)
    held = made.take(5)
    connects.failure = REFUSED
    refusal_of(lambda: made.take(0.2))
    made.give_back(held)
    assert made.take(0) is held


@pytest.mark.parametrize("failure", [REFUSED, FULL])
def test_a_waiter_gets_a_returned_connection_although_the_connect_failed(pool_of, connects, long_pause, failure):
    made = pool_of(3)
    held = made.take(5)
    connects.failure = failure
    got = []
    thread = in_thread(lambda: got.append(made.take(20)))
    wait_until(lambda: connects.count == 2 and not connects.under_way)
    made.give_back(held)
    thread.join(20)
    assert got == [held]


def test_a_hanging_connect_does_not_delay_a_waiter_for_a_returned_connection(pool_of, connects):
    made = pool_of(3)
    held = made.take(5)
    connects.may_end.clear()
    got = []
    threads = [in_thread(lambda: got.append(made.take(20)))]
    wait_until(lambda: connects.under_way == 1)
    made.give_back(held)
    threads[0].join(20)
    assert got == [held]
    assert connects.under_way == 1


def test_after_a_failed_connect_without_any_connection_no_thread_waits(pool_of, connects, long_pause):
    made = pool_of(3)
    connects.failure = REFUSED
    assert refusal_of(lambda: made.take(20)) == REFUSED
    took_s, said = timed(lambda: refusal_of(lambda: made.take(20)))
    assert (said, connects.count) == (REFUSED, 1)
    assert took_s < 10


def test_a_failed_connect_fails_all_waiters_at_once(pool_of, connects, long_pause):
    made = pool_of(8)
    connects.failure = REFUSED
    connects.may_end.clear()
    said = []
    threads = [in_thread(lambda: said.append(refusal_of(lambda: made.take(60)))) for _ in range(8)]
    wait_until(lambda: made.waiting == 8)
    connects.may_end.set()
    for thread in threads:
        thread.join(20)
    assert said == [REFUSED] * 8


def test_connects_to_a_full_server_are_repeated_while_threads_wait(pool_of, connects):
    made = pool_of(3)
    connects.failure = FULL
    got = []
    thread = in_thread(lambda: got.append(made.take(20)))
    wait_until(lambda: connects.count >= 2)
    connects.failure = None
    thread.join(20)
    assert len(got) == 1
    waits, outcomes = made.take_counts()
    assert (waits, outcomes["made"]) == (1, 1)
    assert outcomes["full"] == connects.count - 1
    assert made.take_counts() == (0, {})


def test_a_server_that_stays_full_is_an_error_within_the_time(pool_of, connects):
    connects.failure = FULL
    made = pool_of(3)
    took_s, said = timed(lambda: refusal_of(lambda: made.take(0.5)))
    assert "no connection became free" in said
    assert 0.4 < took_s < 10
    assert connects.count < 5  # the pauses bound the number of connects


def test_after_a_failure_one_connect_is_tried_at_a_time_and_the_pause_grows(pool_of, connects):
    connects.failure = FULL
    made = pool_of(16)
    at_once([lambda: refusal_of(lambda: made.take(1.5))] * 8)
    first = pool.CONNECTS_AT_ONCE
    assert connects.at_once <= first
    assert connects.count <= first + 4  # after 0.1, 0.3, 0.7 and 1.5 s


def test_a_new_process_makes_a_few_connects_at_a_time(pool_of, connects):
    made = pool_of(16)
    connects.may_end.clear()
    got = []
    threads = [in_thread(lambda: got.append(made.take(20))) for _ in range(16)]
    wait_until(lambda: made.waiting == 16)
    connects.may_end.set()
    for thread in threads:
        thread.join(20)
    assert (len(set(got)), connects.at_once) == (16, pool.CONNECTS_AT_ONCE)


def test_there_are_never_more_connections_than_allowed(pool_of, connects):
    made = pool_of(2)

    def use():
        for _ in range(20):
            made.give_back(made.take(20))

    at_once([use] * 8)
    wait_until(lambda: made.open == connects.count)
    assert connects.count <= 2
    assert made.in_use == 0


def test_waiters_are_served_in_their_order(pool_of):
    made = pool_of(1)
    held = made.take(5)
    served = []

    def use(number):
        connection = made.take(20)
        served.append(number)
        made.give_back(connection)

    threads = []
    for number in range(4):
        threads.append(in_thread(functools.partial(use, number)))
        wait_until(lambda: made.waiting == len(threads))
    made.give_back(held)
    for thread in threads:
        thread.join(20)
    assert served == [0, 1, 2, 3]


def test_a_waiter_that_gives_up_is_forgotten(pool_of):
    made = pool_of(1)
    held = made.take(5)
    refusal_of(lambda: made.take(0.01))
    assert made.waiting == 0
    made.give_back(held)
    assert (made.open, made.in_use) == (1, 0)


def test_a_renewed_pool_lends_no_older_connection(pool_of):
    made = pool_of(3)
    lent, idle = made.take(5), made.take(5)
    made.give_back(idle)
    made.renew()
    assert (idle.closed, lent.closed) == (1, 0)
    made.give_back(lent)
    assert lent.closed == 1
    assert made.take(5) not in (lent, idle)
    assert made.open == 1


def test_a_connect_begun_before_a_renewal_is_repeated(pool_of, connects):
    made = pool_of(1)
    connects.may_end.clear()
    got = []
    thread = in_thread(lambda: got.append(made.take(20)))
    wait_until(lambda: connects.under_way == 1)
    made.renew()
    connects.may_end.set()
    thread.join(20)
    assert len(got) == 1
    assert (connects.count, made.open) == (2, 1)


def test_a_pool_is_renewed_at_most_once_in_a_second(pool_of):
    made = pool_of(1)
    made.renew()
    fresh = made.take(5)
    made.renew()
    made.give_back(fresh)
    assert not fresh.closed


def test_a_connection_left_in_a_transaction_is_not_lent_again(pool_of):
    made = pool_of(1)
    left = made.take(5)
    left.cursor().execute("BEGIN")
    made.give_back(left)
    assert left.closed == 1
    assert made.take(5) is not left


def test_surplus_connections_are_closed(pool_of, monkeypatch):
    made = pool_of(3)
    lent = [made.take(5) for _ in range(3)]
    for connection in lent:
        made.give_back(connection)
    monkeypatch.setattr(pool, "IDLE_S", 0.0)
    for _ in range(3):
        made.give_back(made.take(5))
    assert [connection.closed for connection in lent] == [1, 1, 0]
    assert made.open == 1


def test_a_connect_whose_thread_was_lost_takes_no_place_for_ever(pool_of, connects, monkeypatch):
    of_one = pool_of(1)
    monkeypatch.setattr(pool._thread, "start_new_thread", lambda *_: None)
    with pytest.raises(psycopg2.OperationalError, match="no connection became free in time"):
        of_one.take(0.01)
    monkeypatch.undo()
    with pytest.raises(psycopg2.OperationalError, match="no connection became free in time"):
        of_one.take(0.01)
    assert connects.count == 0  # the lost one may still come
    monkeypatch.setattr(pool, "LOST_S", 0.0)
    of_one.give_back(of_one.take(10))
    assert connects.count == 1
