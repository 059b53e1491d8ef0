"""A database of four buckets, whatever SHARDS the rest of the run has."""

import functools
import os
from collections.abc import Callable, Iterator
from decimal import Decimal
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from tests.support.servers import administer

SHARDS = 4
Open = Callable[..., UUID]


@pytest.fixture(scope="module")
def own_url(servers, settings) -> Iterator[str]:
    """Create a database for these tests, point the models of this process at it, and drop it afterwards."""
    from models import database, migrate
    from trading.market import stocks

    name = f"tradepost_buckets_{os.getpid()}"
    administer(servers.database_url, f'CREATE DATABASE "{name}"')
    url = urlsplit(servers.database_url)._replace(path=f"/{name}").geturl().replace(":///", "://", 1)
    database.initialise(url, pool_size=8, shards=SHARDS)
    stocks.forget_stocks()
    migrate.upgrade()
    yield url
    stocks.forget_stocks()
    database.initialise(settings.database_url, pool_size=40, shards=settings.shards)
    administer(servers.database_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
def run_in(own_url) -> Callable[[str], None]:
    """Return a function that runs a statement in the database on a connection of its own."""
    return functools.partial(administer, own_url)


@pytest.fixture
def four(own_url, run_in) -> None:
    """Empty the database of four buckets."""
    from tests.support.servers import emptying

    run_in(f"SET session_replication_role = replica; {emptying()}")


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
