"""Lost events are found by a comparison of the events that a process has seen with the database."""

from uuid import uuid4

import pytest

from tests.support.trading import one, rows, run
from trading.events.lost_events import EventMemory, Seen, find_lost_events, present_server
from trading.events.reading import page_since
from trading.events.restored import note_lost_events

START = 2  # an account's opening and its first deposit


@pytest.fixture
def change(trader):
    """Return a function that creates events of the account."""

    def make(times):
        for _ in range(times):
            run("UPDATE account SET name = name || '.' WHERE id = %s", trader)

    return make


def lost():
    """Return the ranges of numbers that the database keeps as lost."""
    return [(row["first_id"], row["last_id"]) for row in rows("SELECT * FROM lost_event ORDER BY first_id")]


def test_unchanged_events_are_not_lost(trader, change):
    change(2)
    seen = {trader: page_since(trader).newest}
    change(2)
    assert find_lost_events(seen) == {}
    assert lost() == []


@pytest.mark.parametrize("new", [0, 1, 3, 5])
def test_a_missing_event_is_found_whatever_the_event_counter_says(trader, change, take_back, new):
    common = page_since(trader).newest
    change(3)
    seen = {trader: page_since(trader).newest}
    take_back(trader, START)
    change(new)
    assert find_lost_events(seen) == {trader: common}
    assert lost() == [(START + 1, START + 3)]
    for since, is_lost in ((START, False), (START + 1, True), (START + 3, True), (START + 4, False)):
        assert page_since(trader, since).is_lost is is_lost
    assert not page_since(trader).is_lost


def test_the_longest_range_that_a_process_has_seen_is_kept_as_lost(trader, change, take_back):
    change(1)
    less = {trader: page_since(trader).newest}
    change(2)
    most = {trader: page_since(trader).newest}
    take_back(trader, START)
    for seen in (less, most, less):
        assert list(find_lost_events(seen)) == [trader]
    assert lost() == [(START + 1, START + 3)]


def test_an_event_that_was_deleted_for_its_age_is_not_lost(trader, cleaner):
    with cleaner.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE event SET at = at - interval '8 days' WHERE account_id = %s", (str(trader),))
        cursor.execute("SET session_replication_role = DEFAULT")
    seen = {trader: page_since(trader).newest}
    run("DELETE FROM event WHERE account_id = %s", trader)
    assert find_lost_events(seen) == {}
    assert page_since(trader).newest == Seen(START, None)
    assert find_lost_events({trader: Seen(START, None)}) == {}
    assert find_lost_events({trader: Seen(START + 1, None)}) == {trader: Seen(START, None)}
    assert lost() == [(1, START + 1)]


def test_a_restored_backup_resets_every_number_that_it_may_lack(trader, change):
    for _ in range(2):
        note_lost_events({}, unknown=10_000)
    change(3)
    assert page_since(trader, START).keeps(START)
    for since in (START + 1, START + 3):
        assert not page_since(trader, since).keeps(since)


def test_a_missing_account_is_reported(clean):
    account_id = uuid4()
    assert find_lost_events({account_id: Seen(5, one("SELECT now()"))}) == {account_id: None}
    assert lost() == []


def test_a_server_is_compared_once_and_again_after_a_failure(trader, change, take_back):
    memory, told, common = EventMemory(10), [], page_since(trader).newest
    assert memory.meet(present_server(), lambda *_: None)
    change(1)
    memory.note(trader, page_since(trader).newest, present_server())
    take_back(trader, START)
    assert not memory.meet(present_server(), lambda *_: told.append(1))
    assert not memory.meet(None, lambda *_: told.append(1))  # a standby may only be late
    assert told == []

    def fail(*_):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        memory.meet("another", fail)
    assert memory.server == present_server()
    memory.meet("another", lambda *what: told.append(what))
    assert told == [(trader, common)]
    assert lost() == [(START + 1, START + 1)]


def test_the_memory_is_bounded_and_keeps_the_newest_event_of_each_account(clean):
    memory, accounts = EventMemory(3), [uuid4() for _ in range(10)]
    for account_id in accounts:
        memory.note(account_id, Seen(5, None), None)
    memory.note(accounts[-1], Seen(4, None), None)
    memory.note(accounts[-1], Seen(9, None), "another")  # not the one that was compared
    assert memory.items() == [(account_id, Seen(5, None)) for account_id in accounts[-3:]]


def test_a_server_is_identified_by_its_start_and_by_a_table_that_all_buckets_share(clean):
    began, table = present_server().split()
    assert float(began) == pytest.approx(float(one("SELECT extract(epoch FROM pg_postmaster_start_time())")))
    assert int(table) == one("SELECT 'stock'::regclass::oid::bigint")
