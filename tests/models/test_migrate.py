"""Migrations."""

import contextlib
from urllib.parse import urlsplit

import psycopg2
import pytest

from embedded.postgres import create_database
from models import database, migrate
from tests.trading.helpers import at_once, one, rows


@pytest.fixture
def empty_database(servers, migrated, database_url):
    """Point the models at a database without tables, and back."""
    name = f"{urlsplit(database_url).path.strip('/')}_empty"
    create_database(servers.database_url, name)
    url = urlsplit(database_url)._replace(path=f"/{name}").geturl()
    database.initialise(url.replace(":///", "://", 1), pool_size=4)
    yield
    database.initialise(database_url, pool_size=40)
    with contextlib.closing(psycopg2.connect(servers.database_url)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_an_empty_database_is_brought_up_to_date_and_then_left_alone(empty_database):
    assert migrate.is_current() is False
    names = [name for name, _ in migrate.status()]
    assert all(applied is None for _, applied in migrate.status())
    assert migrate.upgrade() == names == sorted(names)
    assert migrate.is_current() is True
    assert all(applied for _, applied in migrate.status())
    assert migrate.upgrade() == []


def test_two_dynos_migrate_at_once_and_each_script_runs_once(empty_database):
    done = at_once([migrate.upgrade] * 2)
    assert sorted(done[0] + done[1]) == [name for name, _ in migrate.status()]
    assert [] in done


def test_upgrading_twice_changes_nothing(database):
    tables = "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public'"
    before = one(tables)
    assert migrate.upgrade() == []
    assert one(tables) == before


def test_migrating_leaves_the_callers_connection_open(database):
    migrate.upgrade()
    assert rows("SELECT 1 AS one") == [{"one": 1}]
    assert database.fetch_one("SELECT 1 AS one") == {"one": 1}


def test_the_limits_hold_again_after_a_migration(database):
    migrate.upgrade()
    assert one("SELECT current_setting('statement_timeout')") == "5s"
