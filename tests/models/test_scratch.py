"""A database for one run: made beside another one, and dropped however the run ends."""

from urllib.parse import urlsplit

import psycopg2
import pytest

from models.scratch import ScratchRefused, scratch_database
from tests.support.servers import administer


def databases(url):
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE 'tradepost\\_replay\\_%'")
            return [name for (name,) in cursor.fetchall()]
    finally:
        connection.close()


class RunFailed(Exception):
    """The run fails."""


def run_that_fails(server_url):
    with scratch_database(server_url) as url:
        assert urlsplit(url).path.strip("/") in databases(server_url)
        psycopg2.connect(url)
        raise RunFailed


def test_it_is_dropped_even_if_the_run_fails_and_somebody_is_connected(servers):
    with pytest.raises(RunFailed):
        run_that_fails(servers.database_url)
    assert databases(servers.database_url) == []


def test_a_role_that_may_make_none_is_refused_with_the_reason(servers):
    administer(servers.database_url, "CREATE ROLE maker_of_none LOGIN PASSWORD 'maker_of_none'")
    try:
        parts = urlsplit(servers.database_url)
        host = parts.netloc.rpartition("@")[2]
        url = parts._replace(netloc=f"maker_of_none:maker_of_none@{host}").geturl()
        with pytest.raises(ScratchRefused, match="permission denied to create database"), scratch_database(url):
            pass
    finally:
        administer(servers.database_url, "DROP ROLE maker_of_none")
