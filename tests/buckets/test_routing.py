"""Every statement finds the bucket of its account, or fails."""

import pytest
from peewee import ProgrammingError

from models import buckets, database, migrate, parts
from models.database import DatabaseUnavailable, db, fetch_one, session
from models.identifiers import new_id
from models.server import DatabaseUnfit
from models.spanning import each_in_transaction
from tests.buckets.conftest import ENGINES, SHARDS
from tests.support import citus
from tests.support.trading import one, rows, run
from trading.orders.placement_statements import create_stock

COUNT = "SELECT count(*) FROM account"


def test_an_account_is_in_the_bucket_of_its_id_and_in_no_other(open_in):
    account_id = open_in(2)
    assert buckets.shard_of(account_id) == 2
    assert buckets.in_each(lambda: one(COUNT)) == [0, 0, 1, 0]
    with buckets.of(account_id):
        assert one("SELECT id FROM account") == account_id


@pytest.mark.skipif(citus.URL is None, reason=citus.SKIPPED)
def test_the_buckets_are_on_citus_too():
    """Where this is skipped, the other cases of this folder run on one server only."""
    assert "Citus" in ENGINES


def test_new_ids_fall_into_all_buckets_alike(four):
    counts = [0] * SHARDS
    for _ in range(4_000):
        counts[buckets.shard_of(new_id())] += 1
    assert min(counts) > 850


def test_a_statement_that_nobody_has_routed_fails(open_in):
    open_in(1)
    with pytest.raises(ProgrammingError, match='relation "account" does not exist'):
        one(COUNT)


def test_a_transaction_that_has_been_in_every_bucket_is_in_none_of_them_afterwards(open_in):
    open_in(3)
    with session(), db.atomic():
        assert [one(COUNT) for _ in each_in_transaction()] == [0, 0, 0, 1]
        with pytest.raises(ProgrammingError, match='relation "account" does not exist'):
            fetch_one(COUNT)


def test_the_shared_tables_are_found_in_every_bucket(four):
    create_stock("NSE", "TCS")
    assert buckets.in_each(lambda: one("SELECT symbol FROM stock")) == ["TCS"] * SHARDS


def test_a_session_of_another_bucket_is_not_joined(four):
    with buckets.at(1), session():
        assert one(COUNT) == 0
        with buckets.at(2), pytest.raises(RuntimeError, match="not of the bucket 2"):
            one(COUNT)


def test_one_bucket_needs_no_routing(monkeypatch):
    monkeypatch.setattr(buckets, "_count", 1)
    with buckets.of(new_id()), buckets.at(0):
        assert buckets.current() is None
    assert list(buckets.each()) == [0]


def test_a_failure_in_one_bucket_leaves_it_at_once(four):
    def fail():
        assert buckets.current() == 0
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as failure:
        buckets.in_each(fail)
    assert buckets.current() is None
    assert failure  # held until here, with its frames
    assert buckets.in_each(buckets.current) == list(range(SHARDS))


def test_a_session_of_the_shared_tables_is_not_joined_for_an_account(four):
    with session(), buckets.at(0), pytest.raises(RuntimeError):
        one(COUNT)


@pytest.mark.parametrize("shards", [1, 2, 8])
def test_a_database_of_another_number_of_buckets_is_refused(four, own_url, shards):
    database.initialise(own_url, pool_size=2, shards=shards)
    try:
        with pytest.raises(DatabaseUnfit, match=f"made with SHARDS=4, and SHARDS is {shards}: set SHARDS=4"):
            migrate.upgrade()
        if shards > 1:
            with buckets.at(0), pytest.raises(DatabaseUnavailable, match="SHARDS=4"):
                one(COUNT)
    finally:
        database.initialise(own_url, pool_size=8, shards=SHARDS)


def test_order_numbers_of_two_buckets_are_never_equal(four):
    for shard in buckets.each():
        assert {one("SELECT nextval('order_numbers')") % SHARDS for _ in range(3)} == {shard}


def test_every_function_of_a_bucket_looks_in_it_first_and_then_in_what_is_shared(four):
    for shard in buckets.each():
        found = rows(
            "SELECT proname, proconfig FROM pg_proc WHERE pronamespace = current_schema()::regnamespace"
            " AND prosqlbody IS NULL"
        )
        assert len(found) > 10
        path = [f"search_path=bucket_{shard}, public, pg_temp"]
        assert {row["proname"] for row in found if row["proconfig"] != path} == set()


def test_no_reference_and_no_default_leaves_the_bucket_but_for_shared_tables(four):
    found = rows(
        "SELECT DISTINCT conrelid::regclass::text AS from, confrelid::regclass::text AS to FROM pg_constraint"
        " JOIN pg_class AS of ON of.oid = conrelid JOIN pg_class AS at ON at.oid = confrelid"
        " WHERE contype = 'f' AND of.relnamespace <> at.relnamespace"
    )
    assert {row["to"].removeprefix("public.") for row in found} == {"stock"}
    assert len(found) == 3 * SHARDS


def test_a_migration_that_one_bucket_lacks_is_missing(four):
    with buckets.at(2):
        row = "DELETE FROM bucket_2.schema_migration WHERE name = '0023_buckets' RETURNING applied"
        with session():
            (found,) = database.fetch_all(row)
    try:
        assert [name for name, applied in migrate.status() if applied is None] == ["0023_buckets"]
    finally:
        run("INSERT INTO bucket_2.schema_migration (name, applied) VALUES ('0023_buckets', %s)", found["applied"])
    assert migrate.is_current()


def test_a_later_migration_runs_each_statement_where_its_tables_are(four):
    where = "INSERT INTO job_run (day, name) VALUES ('2026-01-01', '{}')"
    for part in parts.all_parts():
        with parts.migrating(part), buckets.at(part.shard) if part.shard is not None else session(), session():
            parts.execute_in_shared(where.format("shared"))
            parts.execute_in_buckets(where.format("accounts"))
    assert one("SELECT name FROM job_run") == "shared"
    assert buckets.in_each(lambda: one("SELECT name FROM job_run")) == ["accounts"] * SHARDS
