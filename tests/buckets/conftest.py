"""A database of four buckets, whatever SHARDS the rest of the run has."""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from decimal import Decimal
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from tests.support import citus
from tests.support.servers import administer

SHARDS = 4
ENGINES = ["one server", "Citus"] if citus.URL else ["one server"]
Open = Callable[..., UUID]


@pytest.fixture(scope="session", params=ENGINES)
def engine(request) -> str:
    """Return where the buckets are: on one server, or on the workers of a coordinator."""
    return request.param


@pytest.fixture(scope="session")
def four_url(engine, servers, settings, migrated) -> Iterator[str]:
    """Create a database with four buckets for this run, and drop it afterwards."""
    from models import database, migrate

    on_citus = engine == "Citus"
    made = citus.database(f"tradepost_buckets_{os.getpid()}") if on_citus else _database(servers.database_url, "four")
    with made as url:
        database.initialise(url, pool_size=8, shards=SHARDS)
        migrate.upgrade()
        if on_citus:
            citus.distribute(url)
        _go_back(settings)
        yield url


@pytest.fixture(scope="module")
def own_url(four_url, settings) -> Iterator[str]:
    """Point the models of this process at the database of four buckets."""
    from models import database
    from trading.market import stocks

    database.initialise(four_url, pool_size=8, shards=SHARDS)
    stocks.forget_stocks()
    yield four_url
    stocks.forget_stocks()
    _go_back(settings)


@pytest.fixture
def empty_url(servers, settings, migrated) -> Iterator[str]:
    """Create an empty database, at which the test points the models of this process."""
    with _database(servers.database_url, "empty") as url:
        yield url
        _go_back(settings)


@contextlib.contextmanager
def _database(server_url: str, kind: str) -> Iterator[str]:
    name = f"tradepost_buckets_{kind}_{os.getpid()}"
    administer(server_url, f'CREATE DATABASE "{name}"')
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl().replace(":///", "://", 1)
    finally:
        administer(server_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _go_back(settings) -> None:
    from models import database

    database.initialise(settings.database_url, pool_size=40, shards=settings.shards)


@pytest.fixture
def run_in(own_url) -> Callable[[str], None]:
    """Return a function that runs a statement in the database on a connection of its own."""
    return functools.partial(administer, own_url)


@pytest.fixture
def without_triggers(engine, own_url, run_in) -> Callable[[str], None]:
    """Return a function that runs statements in the database with all triggers switched off."""
    if engine == "Citus":
        return functools.partial(citus.without_triggers, own_url)
    return lambda statements: run_in(f"SET session_replication_role = replica; {statements}")


@pytest.fixture
def four(without_triggers) -> None:
    """Empty the database of four buckets."""
    from tests.support.servers import emptying

    without_triggers(emptying())


@pytest.fixture
def open_in(four) -> Open:
    """Return a function that opens an account in a bucket: open_in(2, fill_model="QUOTES") -> its id."""
    from models import buckets, identifiers
    from trading.accounts import administration

    def make(shard: int, balance: str = "1000000.00", **more: str) -> UUID:
        def draw() -> UUID:
            while buckets.shard_of(found := identifiers._random()) != shard:
                pass
            return found

        with identifiers.drawn_from(draw):
            return administration.create_account(f"In {shard}", Decimal(balance), **more)["id"]

    return make
