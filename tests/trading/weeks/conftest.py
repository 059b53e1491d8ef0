"""A random week, played by the product in a database of its own by a virtual clock."""

import contextlib

import pytest

import config
from models import database
from models.scratch import scratch_database
from runtime import redis_link
from tests.support.servers import point_models_at
from trading.market import calendars
from trading.market.stocks import forget_stocks


@pytest.fixture
def own_database(servers, settings, migrated, monkeypatch):
    """Point this process at an empty database of its own, with NSE's calendar and without Redis."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(scratch_database(servers.database_url))
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setenv("MARKET_CALENDAR", "NSE")
        stack.callback(config.settings.cache_clear)
        stack.callback(calendars._remembered.clear)
        stack.callback(forget_stocks)
        config.settings.cache_clear()
        calendars._remembered.clear()
        database.initialise(url, pool_size=4)
        redis_link.configure(None)
        yield
        point_models_at(settings.database_url)
        redis_link.configure(settings.redis_url, settings.redis_namespace)
        monkeypatch.undo()
