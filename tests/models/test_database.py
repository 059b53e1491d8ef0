"""Sessions and transactions."""

import functools
import threading
import time
from decimal import Decimal

import pytest
from peewee import OperationalError

from models import Account, database
from models.identifiers import new_id
from tests.support.servers import point_models_at
from tests.support.trading import at_once, one, rows, run


@pytest.fixture
def other_url(database_url):
    """Return a function that sets another database; the fixture sets the usual one back."""
    yield
    point_models_at(database_url)


def backend():
    return database.fetch_one("SELECT pg_backend_pid() AS pid")["pid"]


def test_a_session_opens_a_connection_and_closes_what_it_opened(clean):
    assert database.db.is_closed()
    with database.session():
        assert not database.db.is_closed()
    assert database.db.is_closed()


def test_a_session_within_a_session_uses_its_connection_and_leaves_it_open(clean):
    with database.session():
        outer = backend()
        with database.session():
            assert backend() == outer
        assert backend() == outer


def test_a_session_that_fails_closes_its_connection(clean):
    with pytest.raises(KeyError), database.session():
        raise KeyError
    assert database.db.is_closed()


def test_rows_are_dicts_of_exact_values(account_id):
    with database.session():
        (listed,) = Account.select().dicts()
        fetched = database.fetch_one("SELECT * FROM account")
    assert listed == fetched
    assert (fetched["id"], fetched["balance"]) == (account_id, Decimal("1000.00"))
    assert fetched["created_at"].utcoffset().total_seconds() == 0


def test_json_numbers_are_read_exactly(clean):
    (value,) = one("""SELECT '{"a": 0.10}'::jsonb""").values()
    assert (value, type(value)) == (Decimal("0.10"), Decimal)


def test_nothing_found_is_none_and_executing_counts_rows(account_id):
    with database.session():
        assert database.fetch_one("SELECT 1 FROM account WHERE name = 'nobody'") is None
        assert database.fetch_all("SELECT 1 FROM account WHERE name = 'nobody'") == []
        assert database.execute("UPDATE account SET name = 'Asha'") == 1


@database.transactional
def rename(name, then=None):
    database.execute("UPDATE account SET name = %s", (name,))
    if then:
        then()
    return name


def test_a_transaction_commits_all_and_returns_the_result(account_id):
    assert rename("Asha") == "Asha"
    assert one("SELECT name FROM account") == "Asha"


def test_a_transaction_that_raises_leaves_nothing(account_id):
    with pytest.raises(ZeroDivisionError):
        rename("Asha", then=lambda: 1 / 0)
    assert one("SELECT name FROM account") == "Plain"


def test_a_transaction_within_a_transaction_is_refused(account_id):
    with pytest.raises(RuntimeError, match="rename"):
        rename("Asha", then=lambda: rename("Ben"))
    assert one("SELECT name FROM account") == "Plain"


def test_a_transaction_uses_the_session_that_is_open(account_id):
    with database.session():
        rename("Asha")
        assert database.fetch_one("SELECT name FROM account") == {"name": "Asha"}


@pytest.fixture
def two_accounts(clean):
    ids = sorted(new_id() for _ in range(2))
    for made in ids:
        run("INSERT INTO account (id, name) VALUES (%s, 'x')", made)
    return ids


class Crossing:
    """Two simultaneous transactions that lock two rows in opposite order: a real deadlock."""

    def __init__(self):
        self.barrier = threading.Barrier(2)
        self.attempts = 0

    @functools.cached_property
    def cross(self):
        @database.transactional
        def cross(first, second):
            self.attempts += 1
            database.execute("UPDATE account SET balance = balance + 1 WHERE id = %s", (first,))
            if self.attempts <= 2:
                self.barrier.wait(10)
            database.execute("UPDATE account SET balance = balance + 1 WHERE id = %s", (second,))

        return cross


def test_a_deadlock_is_tried_again_from_the_start(two_accounts):
    crossing, (a, b) = Crossing(), two_accounts
    at_once([functools.partial(crossing.cross, a, b), functools.partial(crossing.cross, b, a)])
    assert crossing.attempts >= 3
    assert [row["balance"] for row in rows("SELECT balance FROM account")] == [2, 2]


def test_a_deadlock_is_tried_again_in_a_session_that_was_open_before(two_accounts):
    crossing, (a, b) = Crossing(), two_accounts

    def within_a_session(*order):
        with database.session():
            crossing.cross(*order)

    at_once([functools.partial(within_a_session, a, b), functools.partial(within_a_session, b, a)])
    assert crossing.attempts >= 3
    assert [row["balance"] for row in rows("SELECT balance FROM account")] == [2, 2]


def raising(state):
    """Return a transaction that always fails with this SQLSTATE, and the list of its attempts."""
    attempts = []

    @database.transactional
    def fail():
        attempts.append(state)
        database.execute(f"DO $$ BEGIN RAISE EXCEPTION SQLSTATE '{state}'; END $$")

    return fail, attempts


@pytest.mark.parametrize("state", ["40P01", "40001"])
def test_a_transaction_that_keeps_failing_is_tried_three_times(clean, state):
    fail, attempts = raising(state)
    with pytest.raises(database.DatabaseUnavailable):
        fail()
    assert len(attempts) == 3


def test_other_failures_are_not_tried_again(clean):
    fail, attempts = raising("57014")
    with pytest.raises(database.DatabaseUnavailable):
        fail()
    assert len(attempts) == 1


def test_a_lock_that_is_never_released_ends_in_unavailable(account_id, connect):
    connect().cursor().execute("SELECT 1 FROM account FOR UPDATE")
    with pytest.raises(database.DatabaseUnavailable):
        run("SET LOCAL lock_timeout = 50; UPDATE account SET name = 'Asha'")


def test_every_connection_has_its_limits(clean):
    with database.session():
        limits = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "TimeZone")
        found = [database.fetch_one(f"SELECT current_setting('{name}') AS is")["is"] for name in limits]
    assert found == ["5s", "3s", "10s", "UTC"]


def test_an_unbounded_session_leaves_the_limits_of_later_sessions(clean):
    with database.unbounded():
        assert database.fetch_one("SHOW statement_timeout") == {"statement_timeout": "0"}
    with database.session():
        assert database.fetch_one("SHOW statement_timeout") == {"statement_timeout": "5s"}


def test_an_unbounded_session_leaves_the_callers_connection_open(database):
    with database.unbounded():
        pass
    assert database.fetch_one("SELECT 1 AS one") == {"one": 1}


def test_an_exhausted_pool_is_unavailable_after_two_seconds(database_url, other_url, clean):
    database.initialise(database_url, pool_size=1)
    start = time.monotonic()

    def second():
        with pytest.raises(database.DatabaseUnavailable):
            one("SELECT 1")
        return time.monotonic() - start

    with database.session():
        (took,) = at_once([second])
    assert 1.9 < took < 10.0  # with the delays of a busy machine
    assert one("SELECT 1") == 1


def test_a_connection_that_becomes_free_is_waited_for(database_url, other_url, clean):
    database.initialise(database_url, pool_size=1)
    assert at_once([functools.partial(one, "SELECT 1 FROM pg_sleep(0.05)")] * 6) == [1] * 6


def test_a_connection_that_comes_back_after_another_database_was_set_is_closed(other_database, clean):
    began, may_end = threading.Event(), threading.Event()
    held = []

    def hold():
        with database.session():
            held.append(database.db.held)
            began.set()
            assert may_end.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    assert began.wait(20)
    other_database()
    may_end.set()
    thread.join()
    assert held[0].closed
    assert database.db.pool.in_use == 0
    assert one("SELECT current_database()").endswith("_other")


def test_an_error_of_a_statement_is_not_database_unavailable(clean):
    with pytest.raises(Exception, match="nowhere") as error:
        one("SELECT 1 FROM nowhere")
    assert not isinstance(error.value, database.DatabaseUnavailable | OperationalError)
