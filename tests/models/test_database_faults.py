"""A database that goes away, stays silent, or ends a connection."""

import socket
import threading
import time

import pytest

from models import Account, connections, database, pool
from tests.support.processes import wait_until
from tests.support.servers import point_models_at
from tests.support.trading import at_once, one, rows, run


@pytest.fixture
def elsewhere(database_url):
    """Return a function that sets another database; the fixture sets the usual one back."""
    yield database.initialise
    point_models_at(database_url)


@pytest.fixture
def silent_port():
    """Return the port of a server that accepts connections into its backlog and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def timed_refusal(action):
    start = time.monotonic()
    with pytest.raises(database.DatabaseUnavailable):
        action()
    return time.monotonic() - start


def terminate(connect, pid):
    other = connect()
    other.cursor().execute("SELECT pg_terminate_backend(%s)", (pid,))
    other.commit()
    wait_until(lambda: not gone(other, pid), what="the backend ends")


def gone(other, pid):
    cursor = other.cursor()
    cursor.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,))
    found = cursor.fetchall()
    other.rollback()
    return found


def lose_the_connection(connect, query=lambda: database.fetch_one("SELECT 1")):
    with database.session():
        terminate(connect, database.fetch_one("SELECT pg_backend_pid() AS pid")["pid"])
        query()


@pytest.mark.parametrize(
    "query",
    [lambda: database.fetch_one("SELECT 1"), lambda: list(Account.select()), lambda: Account.delete().execute()],
    ids=["SQL", "a model's rows", "a model's change"],
)
def test_a_connection_that_ends_is_the_same_error_for_sql_and_for_models(connect, clean, query):
    with pytest.raises(database.DatabaseUnavailable):
        lose_the_connection(connect, query)


def test_an_idle_connection_that_was_terminated_is_replaced_without_an_error(database_url, elsewhere, connect, clean):
    elsewhere(database_url, pool_size=1)  # with two, a thread of an earlier test may have the first one for a moment
    first = one("SELECT pg_backend_pid()")
    assert one("SELECT pg_backend_pid()") == first  # the pool kept it
    terminate(connect, first)
    assert one("SELECT pg_backend_pid()") != first


def test_a_connection_terminated_in_use_is_unavailable_and_the_next_works(clean, connect):
    timed_refusal(lambda: lose_the_connection(connect))
    assert one("SELECT 1") == 1


def test_a_transaction_whose_connection_is_terminated_leaves_nothing(account_id, connect):
    @database.transactional
    def rename():
        database.execute("UPDATE account SET name = 'Asha'")
        terminate(connect, database.fetch_one("SELECT pg_backend_pid() AS pid")["pid"])

    with pytest.raises(database.DatabaseUnavailable):
        rename()
    assert one("SELECT name FROM account") == "Plain"


def test_connections_that_died_give_their_places_back(database_url, elsewhere, connect, clean):
    elsewhere(database_url, pool_size=2)
    for _ in range(5):
        timed_refusal(lambda: lose_the_connection(connect))
    assert at_once([lambda: one("SELECT 1 FROM pg_sleep(0.05)")] * 2) == [1, 1]


def test_a_server_that_refuses_is_unavailable_at_once(elsewhere, clean):
    def ask():
        elsewhere("postgresql://127.0.0.1:1/nothing", pool_size=2)
        return timed_refusal(lambda: one("SELECT 1"))

    assert min(ask() for _ in range(5)) < 0.5  # a busy machine may delay one attempt, not all


def test_a_silent_server_is_unavailable_within_a_few_seconds(elsewhere, silent_port, clean, monkeypatch):
    monkeypatch.setattr(pool, "MIN_PAUSE_S", 60.0)
    monkeypatch.setattr(pool, "MAX_PAUSE_S", 60.0)
    elsewhere(f"postgresql://127.0.0.1:{silent_port}/nothing?sslmode=disable", pool_size=2)
    assert timed_refusal(lambda: one("SELECT 1")) < 10.0  # 2 s for a connect, and the delays of a busy machine
    # No thread waits for the next time-out of 2 s; a busy machine may delay one attempt, not all.
    assert min(timed_refusal(lambda: one("SELECT 1")) for _ in range(3)) < 1.0


def test_many_at_once_at_a_silent_server_are_all_answered_in_bounded_time(elsewhere, silent_port, clean):
    elsewhere(f"postgresql://127.0.0.1:{silent_port}/nothing?sslmode=disable", pool_size=4)
    took = at_once([lambda: timed_refusal(lambda: one("SELECT 1"))] * 8)
    assert max(took) < 7.0  # one after the other they would take 8 s


def test_a_server_that_stops_answering_in_a_query_ends_in_bounded_time(clean, monkeypatch):
    reset = connections.deadline_s.set(0.2)
    try:
        took = timed_refusal(lambda: rows("SELECT pg_sleep(30)"))
    finally:
        connections.deadline_s.reset(reset)
    assert took < 4.0  # the server would end it after 5 s
    assert one("SELECT 1") == 1


def test_a_statement_that_takes_too_long_is_ended_by_the_server(clean):
    def slow():
        with database.session():
            database.execute("SET statement_timeout = 50")
            try:
                database.execute("SELECT pg_sleep(30)")
            finally:
                database.execute("RESET statement_timeout")

    assert timed_refusal(slow) < 4.0  # the client would give up after 6 s


def test_a_read_only_server_is_unavailable(account_id):
    def write():
        with database.session(), database.db.atomic():
            database.execute("SET TRANSACTION READ ONLY")
            database.execute("UPDATE account SET name = 'Asha'")

    timed_refusal(write)
    run("UPDATE account SET name = 'Asha'")


def test_a_write_leaves_a_read_only_server_though_the_pool_was_just_renewed(account_id, elsewhere, database_url):
    elsewhere(database_url, pool_size=1)
    database.db.pool.renew()
    with database.session():
        database.execute("SET default_transaction_read_only = on")  # as if this connection led to a standby

    @database.transactional
    def rename():
        database.execute("UPDATE account SET name = 'Asha'")

    rename()
    assert one("SELECT name FROM account") == "Asha"


def test_connections_are_not_shared_between_threads(clean):
    barrier = threading.Barrier(4)

    def who():
        with database.session():
            pid = database.fetch_one("SELECT pg_backend_pid() AS pid")["pid"]
            barrier.wait(10)
            return pid

    assert len(set(at_once([who] * 4))) == 4
