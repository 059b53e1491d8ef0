"""Replays whose events are deleted meanwhile, that are behind the hub, or that start at an event taken back."""

import itertools
import threading
import time
from typing import Any

import pytest

from api.stream import replay as replay_module
from api.stream.event_view import as_text
from api.stream.hub import Hub
from api.stream.listeners import QueueListener
from tests.actors.placing import place_quietly
from tests.realtime.conftest import Database
from tests.support import citus
from tests.support.processes import wait_until
from tests.support.servers import path_to
from trading.events.lost_events import Seen


def test_events_deleted_in_the_middle_of_a_replay_are_a_reset(
    account: Any, database_url: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr(replay_module, "REPLAY_PAGE", 2)
    holder = account()
    for _ in range(3):
        place_quietly(holder)
    hub, listener = Hub(as_text), QueueListener(holder.id, None)
    hub.add(listener)
    replayed = replay_module.replay(hub, listener, holder.id, 0)
    begun = [next(replayed) for _ in range(3)]
    delete = f"{path_to(holder.id)} DELETE FROM event WHERE account_id = %s AND id <= 5"
    citus.without_triggers(database_url, delete, str(holder.id))
    rest = list(replayed)
    hub.remove(listener)
    assert [(message.event_type, message.event_id) for message in begun] == [
        ("ready", 0),
        ("account.updated", 1),
        ("account.updated", 2),
    ]
    assert [(message.event_type, message.event_id) for message in rest] == [("reset", 8)]
    assert listener.is_live


def test_a_replay_behind_the_hub_reads_again_after_a_pause(account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = account()
    hub, listener = Hub(as_text), QueueListener(holder.id, None)
    hub.add(listener)
    assert hub.go_live(QueueListener(holder.id, None), 10)  # from a server that had more
    looks: list[float] = []
    look_up = hub.look_up
    monkeypatch.setattr(hub, "look_up", lambda *asked: looks.append(time.monotonic()) or look_up(*asked))
    replaying = threading.Thread(target=lambda: list(replay_module.replay(hub, listener, holder.id, 2)))
    replaying.start()
    wait_until(lambda: len(looks) > 10)
    pauses = [later - earlier for earlier, later in itertools.pairwise(looks[1:10])]
    assert min(pauses) >= replay_module.LOOK_AGAIN_S
    hub.take_back(holder.id, Seen(2, None))  # as the hub does when it reads from that server
    replaying.join(20)
    assert listener.is_live


@pytest.mark.parametrize("new", [1, 3, 5])
def test_since_an_event_that_was_taken_back_is_a_reset_before_the_hub_notices(
    account: Any, plain_sql: Database, take_back: Any, new: int
) -> None:
    holder, hub = account(), Hub(as_text)
    plain_sql.change(holder.id, 3)
    assert hub.look_up(holder.id).newest.id == 5
    take_back(holder.id, 2)
    plain_sql.change(holder.id, new)
    hub.memory.server = "the one that is lost"
    listener = QueueListener(holder.id, None)
    hub.add(listener)
    told = [(message.event_type, message.event_id) for message in replay_module.replay(hub, listener, holder.id, 5)]
    assert told == [("ready", 5), ("reset", 2 + new)]
    assert listener.is_live
