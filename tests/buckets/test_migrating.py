"""The schemas of the buckets: made, divided, brought up to date, refused."""

import dataclasses

import pytest

from actors import broker
from api import create_app
from models import database, migrate
from models.identifiers import new_id
from models.server import DatabaseUnfit
from tests.support.servers import administer
from tests.support.trading import one, run

TWO = 2


@pytest.fixture
def of_buckets(empty_url):
    """Return a function that points the models at an empty database, with one bucket or with two."""
    return lambda shards, url=empty_url: database.initialise(url, pool_size=2, shards=shards)


def test_an_interrupted_upgrade_is_finished_by_the_next_one(of_buckets, monkeypatch):
    of_buckets(TWO)
    upgrade_one, done = migrate._upgrade, []

    def upgrade_two(part):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(part)
        upgrade_one(part)

    monkeypatch.setattr(migrate, "_upgrade", upgrade_two)
    with pytest.raises(KeyboardInterrupt):
        migrate.upgrade()
    assert not migrate.is_current()
    assert {applied for _, applied in migrate.status()} == {None}
    monkeypatch.setattr(migrate, "_upgrade", upgrade_one)
    assert len(migrate.upgrade()) == len(migrate.status())
    assert migrate.is_current()
    assert migrate.upgrade() == []


def test_accounts_of_one_bucket_are_never_dropped(of_buckets):
    of_buckets(1)
    migrate.upgrade()
    run("DELETE FROM schema_migration WHERE name = '0023_buckets'")  # as a release before the buckets left it
    run("INSERT INTO account (id, name) VALUES ('01a21f2a-922f-79bf-8a76-12457f583848', 'A')")
    of_buckets(TWO)
    with pytest.raises(DatabaseUnfit, match="made with SHARDS=1, and SHARDS is 2: set SHARDS=1"):
        migrate.upgrade()
    assert one("SELECT count(*) FROM public.account") == 1


def test_an_empty_database_of_an_earlier_release_gets_buckets(of_buckets):
    of_buckets(1)
    migrate.upgrade()
    run("DELETE FROM schema_migration WHERE name = '0023_buckets'")
    of_buckets(TWO)
    assert migrate.upgrade()
    assert one("SELECT to_regclass('public.account')::text") is None


def test_a_role_that_may_make_no_schema_is_told_so(of_buckets, empty_url):
    administer(empty_url, "CREATE ROLE poor LOGIN; GRANT CREATE ON SCHEMA public TO poor")
    try:
        of_buckets(TWO, empty_url.replace("postgres@", "poor@"))
        with pytest.raises(DatabaseUnfit, match=r"GRANT CREATE ON DATABASE tradepost_buckets_empty_.* TO poor"):
            migrate.upgrade()
    finally:
        administer(empty_url, "DROP OWNED BY poor; DROP ROLE poor")


@pytest.mark.parametrize("shards", [1, TWO])
def test_a_command_on_a_database_without_tables_names_the_migration(empty_url, settings, configured, shards):
    runner = create_app(dataclasses.replace(settings, database_url=empty_url, shards=shards)).test_cli_runner()
    try:
        for command in (("accounts", "show", str(new_id())), ("orders", "list"), ("ledger", "verify")):
            result = runner.invoke(args=command)
            assert result.exit_code == 1
            assert result.stderr.endswith("run `tradepost db upgrade`.\n"), result.stderr
    finally:
        broker.configure(settings, role="web")
