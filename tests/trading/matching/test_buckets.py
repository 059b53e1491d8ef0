"""The locks on buckets of stocks."""

from uuid import UUID

import psycopg2.errors
import pytest
from peewee import OperationalError

from models.identifiers import new_id
from tests.support.trading import rows
from trading.matching.buckets import (
    BUCKET_LOCKS,
    BUCKETS,
    SEQUENCE_LOCKS,
    bucket_of,
    lock_exclusive,
    lock_shared,
    next_match_numbers,
)

ONE, TWO = UUID(int=1), UUID(int=2)
SAME_AS_ONE = UUID(int=1 + BUCKETS)
EXCLUSIVE, SHARED = "pg_try_advisory_xact_lock", "pg_try_advisory_xact_lock_shared"


@pytest.fixture
def may_lock(connect):
    """Return a function that says whether another transaction could lock a stock's bucket now."""
    other = connect()

    def ask(function, stock_id):
        with other.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s, %s)", (BUCKET_LOCKS, bucket_of(stock_id)))
            (answer,) = cursor.fetchone()
        other.rollback()
        return answer

    return ask


def test_a_quote_locks_out_orders_and_quotes_of_its_bucket_and_no_others(database, may_lock):
    with database.db.atomic():
        lock_exclusive([ONE])
        database.send_waiting()
        assert not may_lock(SHARED, ONE)
        assert not may_lock(EXCLUSIVE, SAME_AS_ONE)
        assert may_lock(EXCLUSIVE, TWO)
    assert may_lock(EXCLUSIVE, ONE)


def test_orders_of_one_bucket_open_side_by_side_and_lock_out_its_quotes(database, may_lock):
    with database.db.atomic():
        lock_shared([ONE])
        database.send_waiting()
        assert may_lock(SHARED, ONE)
        assert not may_lock(EXCLUSIVE, ONE)


def test_each_bucket_is_locked_once_and_in_the_same_order(database):
    with database.db.atomic():
        lock_exclusive([TWO, SAME_AS_ONE, ONE])
        held = database.fetch_all("SELECT objid, objsubid FROM pg_locks WHERE locktype = 'advisory' AND granted")
    assert sorted(lock["objid"] for lock in held) == [1, 2]
    assert {lock["objsubid"] for lock in held} == {2}  # two numbers: other advisory locks have 1


def test_no_stocks_need_no_lock(database):
    with database.db.atomic():
        lock_shared([])
        lock_exclusive([])
        assert database.fetch_all("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'") == []


def test_every_bucket_is_used():
    assert {bucket_of(new_id()) for _ in range(10_000)} == set(range(BUCKETS))


def test_match_numbers_grow_and_are_taken_by_one_transaction_at_a_time(database, connect):
    other = connect()
    with database.db.atomic():
        first = next_match_numbers(3)
        assert first == sorted(first)
        assert len(set(first)) == 3
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s, 0)", (SEQUENCE_LOCKS,))
            assert cursor.fetchone() == (False,)
    with database.db.atomic():
        assert next_match_numbers(1)[0] > first[-1]


def test_a_quote_waits_for_a_bucket_for_a_second(database, connect):
    other = connect()
    other.cursor().execute("SELECT pg_advisory_xact_lock_shared(%s, 1)", (BUCKET_LOCKS,))
    with pytest.raises(OperationalError) as refusal, database.db.atomic():
        lock_exclusive([ONE])
    assert isinstance(refusal.value.orig, psycopg2.errors.LockNotAvailable)
    assert rows("SHOW lock_timeout") == [{"lock_timeout": "3s"}]
