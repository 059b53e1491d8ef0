"""Old events are deleted in bounded batches, and the remaining ones have no gap."""

from typing import Any

import dramatiq
import pytest

from actors import maintenance
from models.database import fetch_all, session
from tests.actors.placing import place_quietly
from tests.support.processes import wait_until
from trading.events.retention import delete_old_events, delete_old_keys
from trading.execution.executing import execute_orders
from trading.upkeep.verify import verify


@pytest.fixture
def aged(cleaner: Any) -> Any:
    """Return a function that makes an account's events up to an id eight days old."""

    def age(account_id: Any, last_id: int) -> None:
        with cleaner.cursor() as cursor:
            cursor.execute(
                "UPDATE event SET at = at - interval '8 days' WHERE account_id = %s AND id <= %s",
                (str(account_id), last_id),
            )

    return age


def kept_ids(account: Any) -> list[int]:
    with session():
        rows = fetch_all("SELECT id FROM event WHERE account_id = %s ORDER BY id", (account.id,))
    return [row["id"] for row in rows]


def test_old_events_are_deleted_and_young_ones_kept(account: Any, aged: Any) -> None:
    holder = account()
    order = place_quietly(holder)
    execute_orders([order["id"]])
    before = kept_ids(holder)
    aged(holder.id, 3)
    assert delete_old_events() == 3
    assert kept_ids(holder) == before[3:]


def test_a_small_batch_leaves_a_run_without_a_gap(account: Any, aged: Any) -> None:
    holders = [account(), account()]
    for holder in holders:
        for _ in range(5):
            place_quietly(holder)
        aged(holder.id, 8)
    while delete_old_events(each=3):
        for holder in holders:
            ids = kept_ids(holder)
            assert ids == list(range(ids[0], ids[-1] + 1))
    assert [kept_ids(holder)[0] for holder in holders] == [9, 9]


def test_nothing_old_means_nothing_deleted(account: Any) -> None:
    place_quietly(account())
    assert delete_old_events() is None
    assert verify() == []


def test_every_account_gets_its_turn(account: Any, aged: Any) -> None:
    holders = [account() for _ in range(7)]
    for holder in holders:
        place_quietly(holder)
        aged(holder.id, 2)
    found = []
    while (deleted := delete_old_events(accounts=3)) is not None:
        found.append(deleted)
    assert found == [6, 0, 6, 0, 2]
    assert {kept_ids(holder)[0] for holder in holders} == {3}
    aged(holders[0].id, 3)
    assert delete_old_events(accounts=3) == 1  # from the first account on


def test_the_actor_deletes_until_nothing_old_is_left(worker: dramatiq.Worker, account: Any, aged: Any) -> None:
    holder = account()
    place_quietly(holder)
    aged(holder.id, 2)
    maintenance.delete_what_is_old.send()
    wait_until(lambda: kept_ids(holder)[0] == 3)


def test_idempotency_keys_are_kept_for_their_time(account: Any, cleaner: Any) -> None:
    holder = account()
    key = "INSERT INTO idempotency_key SELECT %s, 's', %s, sha256('x'), '{}', now() - %s * interval '1 hour'"
    with cleaner.cursor() as cursor:
        for number, hours in enumerate((0, 24, 26, 200)):
            cursor.execute(key, (str(holder.id), str(number), hours))
    assert delete_old_keys() == 2
    assert delete_old_keys() is None
    with session():
        assert [row["key"] for row in fetch_all("SELECT key FROM idempotency_key ORDER BY key")] == ["0", "1"]
