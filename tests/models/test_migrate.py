"""Migrations."""

import pytest

from models import database, migrate, server
from models.database import session
from models.server import DatabaseUnfit
from tests.support.trading import at_once, one, rows


@pytest.fixture
def empty_database(other_database):
    """Set an empty database, and the usual one afterwards."""
    other_database()


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


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_in_another_encoding_is_refused_and_not_changed(other_database, encoding):
    other_database(f"ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    with pytest.raises(DatabaseUnfit, match=rf"{encoding} .* createdb --encoding=UTF8"):
        migrate.upgrade()
    with session():
        assert one("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'") == 0


def test_a_database_made_as_the_refusal_says_is_accepted(other_database):
    other_database("ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0")
    assert migrate.upgrade()


def test_a_server_that_is_too_old_is_refused(empty_database, monkeypatch):
    monkeypatch.setattr(server, "OLDEST_VERSION", 99)
    with pytest.raises(DatabaseUnfit, match="PostgreSQL 99 or later is needed"):
        migrate.upgrade()


@pytest.fixture
def poor_role(other_database, servers):
    """Set an empty database, with a role that owns nothing in it; return a function that runs SQL as its owner."""
    return other_database(role="tradepost_test_poor")


def test_the_refusal_of_a_role_that_may_not_create_tables_names_the_right(poor_role):
    with pytest.raises(DatabaseUnfit, match="GRANT USAGE, CREATE ON SCHEMA public TO tradepost_test_poor"):
        migrate.upgrade()
    poor_role("GRANT USAGE, CREATE ON SCHEMA public TO tradepost_test_poor")
    assert migrate.upgrade()
    poor_role("REVOKE CREATE ON SCHEMA public FROM tradepost_test_poor")
    assert migrate.upgrade() == []  # no migration is missing, so the right is not needed


def test_the_refusal_of_a_role_that_may_use_no_schema_says_so(poor_role):
    poor_role("REVOKE ALL ON SCHEMA public FROM public")
    with pytest.raises(DatabaseUnfit, match="CREATE SCHEMA AUTHORIZATION tradepost_test_poor"):
        migrate.upgrade()
    poor_role("CREATE SCHEMA AUTHORIZATION tradepost_test_poor")
    assert migrate.upgrade()


def test_tables_are_made_in_the_schema_that_the_url_names(other_database):
    administer = other_database()
    administer("CREATE SCHEMA trade")
    url = database.db.database
    database.initialise(f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3Dtrade", pool_size=4)
    migrate.upgrade()
    found = rows("SELECT DISTINCT schemaname FROM pg_tables WHERE tablename IN ('account', 'event')")
    assert found == [{"schemaname": "trade"}]
