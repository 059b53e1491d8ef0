"""The virtual clock moves when it is moved, and by a microsecond at each reading, in every transaction."""

from datetime import UTC, datetime, timedelta

import pytest

from models.database import DatabaseUnavailable, db, fetch_one, session, snapshot
from models.identifiers import new_id
from models.scratch import scratch_database
from runtime import market_clock
from tests.support.servers import point_models_at
from trading.replay.clock import MICROSECOND, VirtualClock

AT = datetime(2026, 11, 6, 3, 45, tzinfo=UTC)


@pytest.fixture
def clock(servers, settings, migrated):
    """Return a clock that is installed in a database of its own."""
    from models import database, migrate

    with scratch_database(servers.database_url) as url:
        database.initialise(url, pool_size=4)
        migrate.upgrade()
        found = VirtualClock()
        with session(), found.installed():
            yield found
        point_models_at(settings.database_url)


def now():
    return fetch_one("SELECT market_now() AS now")["now"]


def test_it_grows_by_a_microsecond_a_reading_and_goes_back_never(clock):
    clock.move(AT)
    assert [now(), now()] == [AT, AT + MICROSECOND]
    clock.move(AT)
    assert now() == AT + 2 * MICROSECOND
    with db.atomic() as transaction:
        now()
        transaction.rollback()
    assert now() == AT + 4 * MICROSECOND, "a rollback does not set it back"


def test_it_is_the_clock_of_this_process_too(clock):
    clock.move(AT)
    assert market_clock.now() == AT
    ids = [new_id() for _ in range(3)]
    clock.move(AT + timedelta(seconds=1))
    ids.append(new_id())
    assert ids == sorted(ids)
    assert {identifier.version for identifier in ids} == {7}


def test_it_stands_for_those_who_only_read(clock):
    clock.move(AT)
    with pytest.raises(DatabaseUnavailable), snapshot():  # a failover's standby refuses writes in the same way
        now()
    with clock.standing(), snapshot():
        assert now() == now() == AT
    assert now() > AT - MICROSECOND


def test_two_clocks_give_the_same_identifiers():
    first, second = VirtualClock(), VirtualClock()
    found = []
    for clock in (first, second):
        with clock.running():
            found.append([new_id() for _ in range(5)])
    assert found[0] == found[1]
    assert new_id() not in found[0]
