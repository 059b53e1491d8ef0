"""A replay that loses what it was about to send to retention says so."""

from typing import Any

from api import replay as replay_module
from api.event_view import as_text
from api.hub import Hub
from api.listeners import QueueListener
from tests.actors.placing import place_quietly


def test_events_deleted_in_the_middle_of_a_replay_are_a_reset(account: Any, cleaner: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(replay_module, "REPLAY_PAGE", 2)
    holder = account()
    for _ in range(3):
        place_quietly(holder)
    hub, listener = Hub(as_text), QueueListener(holder.id, None)
    hub.add(listener)
    replayed = replay_module.replay(hub, listener, holder.id, 0)
    begun = [next(replayed) for _ in range(3)]
    with cleaner.cursor() as cursor:
        cursor.execute("DELETE FROM event WHERE account_id = %s AND id <= 5", (str(holder.id),))
    rest = list(replayed)
    hub.remove(listener)
    assert [(message.event_type, message.event_id) for message in begun] == [
        ("ready", 0),
        ("account.updated", 1),
        ("account.updated", 2),
    ]
    assert [(message.event_type, message.event_id) for message in rest] == [("reset", 8)]
    assert listener.is_live
