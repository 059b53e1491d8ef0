"""The health checks."""

import dataclasses
from urllib.parse import urlsplit

import pytest

from models import database
from models.database import DatabaseUnavailable
from tests.support.processes import wait_until


def test_a_running_process_is_live(client):
    assert client.get("/health/live").get_json() == {"status": "ok"}


def test_a_process_with_its_servers_is_ready(client):
    response = client.get("/health/ready")
    assert response.status_code == 200
    assert response.get_json() == {"status": "ok", "database": "ok", "migrations": "ok", "broker": "ok"}


def test_without_its_broker_a_process_is_degraded_but_ready(client, monkeypatch):
    monkeypatch.setattr("runtime.redis_link.attempt", lambda _: False)
    response = client.get("/health/ready")
    assert (response.status_code, response.get_json()["status"]) == (200, "degraded")
    assert response.get_json()["broker"] == "unavailable"


def test_an_inline_process_is_ready_without_a_broker(app, client, settings, monkeypatch):
    inline = dataclasses.replace(settings, order_dispatch="inline", redis_url=None)
    monkeypatch.setitem(app.config, "SETTINGS", inline)
    document = client.get("/health/ready").get_json()
    assert (document["status"], document["broker"]) == ("ok", "disabled")


def test_without_its_database_a_process_is_not_ready(client, monkeypatch):
    def fail():
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr("api.health.session", fail)
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert (response.get_json()["status"], response.get_json()["database"]) == ("unavailable", "unavailable")


@pytest.fixture
def read_only(cleaner, database_url):
    """Let nothing be written by later sessions of the run's database, as on a standby."""
    name = urlsplit(database_url).path.removeprefix("/")
    with cleaner.cursor() as cursor:
        cursor.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        database.db.pool.retire()
        yield
        cursor.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        database.db.pool.retire()


def test_on_a_read_only_server_a_process_is_not_ready_and_reconnects(client, read_only):
    response = client.get("/health/ready")
    document = response.get_json()
    assert (response.status_code, document["status"], document["database"]) == (503, "unavailable", "read_only")
    # The pool is renewed at most once a second.
    wait_until(lambda: client.get("/health/ready").status_code == 503 and database.db.pool.open == 0)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_on_a_database_that_is_not_utf8_a_process_is_not_ready(client, other_database, encoding):
    other_database(f"ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    response = client.get("/health/ready")
    document = response.get_json()
    assert (response.status_code, document["status"], document["database"]) == (503, "unavailable", "unfit")
    assert encoding in document["warnings"][0]


def test_with_a_role_that_may_not_read_the_tables_a_process_is_not_ready(client, other_database):
    administer = other_database(role="tradepost_test_poor")
    administer("CREATE TABLE schema_migration (id int, name text, applied timestamp)")
    response = client.get("/health/ready")
    assert (response.status_code, response.get_json()["database"]) == (503, "unfit")
    assert "may not read the tables" in response.get_json()["warnings"][0]


def test_with_migrations_missing_a_process_is_not_ready(client, monkeypatch):
    monkeypatch.setattr("models.migrate.is_current", lambda: False)
    response = client.get("/health/ready")
    assert (response.status_code, response.get_json()["migrations"]) == (503, "pending")
