"""The fan-out, in this process with plain threads: no listener misses an event between replay and live."""

import random
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.stream.event_view import as_text
from api.stream.hub import MAX_EVENTS_READ, Hub
from api.stream.listeners import EXPIRED, GONE, TOO_SLOW, Ending, Listener, Message, QueueListener
from api.stream.outbox import MAX_WAITING_MESSAGES
from tests.conftest import TestAccount
from tests.realtime.conftest import Database
from trading.events.lost_events import Seen
from trading.events.reading import events_since
from trading.rules.sessions import indian_day

ONE, OTHER = uuid4(), uuid4()


class Collector(Listener):
    """Keeps the events that it gets."""

    def __init__(self, account_id: UUID, token_id: UUID | None = None) -> None:
        super().__init__(account_id, token_id)
        self.received: list[int] = []
        self.subjects: list[str | None] = []
        self.ending: Ending | None = None

    def deliver(self, message: Message) -> None:
        self.last_event_id = message.event_id
        self.received.append(message.event_id)
        self.subjects.append(message.subject_id)

    def close(self, ending: Ending) -> None:
        self.ending = ending


@pytest.fixture
def hub() -> Hub:
    """Return a hub without threads: the test hands out the events."""
    return Hub(as_text)


def event(event_id: int, account_id: UUID = ONE) -> dict[str, Any]:
    return {"account_id": account_id, "id": event_id, "type": "account.updated", "data": {"id": str(account_id)}}


@pytest.fixture
def bare_hub() -> Hub:
    """Return a hub without threads, which hands out rows as they are."""
    return Hub(str)


def test_a_listener_gets_nothing_before_it_is_live(bare_hub: Hub) -> None:
    live, waiting = Collector(ONE), Collector(ONE)
    bare_hub.add(live)
    bare_hub.add(waiting)
    assert bare_hub.go_live(live, 5)
    bare_hub.deliver(event(6))
    assert (live.received, waiting.received) == ([6], [])


def test_a_message_has_the_id_of_the_changed_object(bare_hub: Hub) -> None:
    listener, order_id = Collector(ONE), str(uuid4())
    bare_hub.add(listener)
    assert bare_hub.go_live(listener, 0)
    bare_hub.deliver(event(1) | {"type": "order.executed", "data": {"id": order_id, "position_id": str(uuid4())}})
    bare_hub.take_back(ONE, Seen(0, None))
    assert listener.subjects == [order_id, None]


def test_a_listener_that_missed_an_event_reads_it_before_it_is_live(bare_hub: Hub) -> None:
    live, late = Collector(ONE), Collector(ONE)
    bare_hub.add(live)
    bare_hub.add(late)
    assert bare_hub.go_live(live, 5)
    bare_hub.deliver(event(6))
    assert not bare_hub.go_live(late, 5)
    assert not late.is_live
    assert bare_hub.go_live(late, 6)
    bare_hub.deliver(event(7))
    assert (live.received, late.received) == ([6, 7], [7])


def test_a_listener_that_is_ahead_of_the_hub_gets_nothing_twice(bare_hub: Hub) -> None:
    live, ahead = Collector(ONE), Collector(ONE)
    bare_hub.add(live)
    bare_hub.add(ahead)
    assert bare_hub.go_live(live, 5)
    assert bare_hub.go_live(ahead, 7)
    for event_id in (6, 7, 8):
        bare_hub.deliver(event(event_id))
    assert (live.received, ahead.received) == ([6, 7, 8], [8])


def test_events_read_for_a_listener_that_left_are_not_delivered_to_its_successor(bare_hub: Hub) -> None:
    first, second = Collector(ONE), Collector(ONE)
    bare_hub.add(first)
    assert bare_hub.go_live(first, 5)
    bare_hub.remove(first)
    bare_hub.deliver(event(6))  # without listeners
    bare_hub.add(second)
    assert bare_hub.go_live(second, 3)
    bare_hub.deliver(event(6))  # 4 and 5 are still to come
    assert second.received == []
    for event_id in (4, 5, 6, 6):
        bare_hub.deliver(event(event_id))
    assert second.received == [4, 5, 6]


def test_a_listener_that_got_an_event_that_was_taken_back_is_reset(bare_hub: Hub) -> None:
    heard, behind, other = Collector(ONE), Collector(ONE), Collector(OTHER)
    for listener in (heard, behind, other):
        bare_hub.add(listener)
    assert bare_hub.go_live(heard, 5)
    assert bare_hub.go_live(other, 5)
    bare_hub.deliver(event(6))
    bare_hub.take_back(ONE, Seen(4, None))
    assert bare_hub.go_live(behind, 4)
    for event_id in (5, 6):
        bare_hub.deliver(event(event_id))
    assert (heard.received, behind.received, other.received) == ([6, 4, 5, 6], [5, 6], [])
    bare_hub.take_back(ONE, Seen(6, None))  # as found by another process, which had seen more
    assert heard.received == [6, 4, 5, 6]


def test_no_listener_goes_live_with_events_of_a_server_not_yet_compared(bare_hub: Hub) -> None:
    listener = Collector(ONE)
    bare_hub.add(listener)
    assert not bare_hub.go_live(listener, 5, "another")
    bare_hub.memory.server = "another"
    assert bare_hub.go_live(listener, 5, "another")


def test_listeners_of_an_account_that_is_gone_are_closed(bare_hub: Hub) -> None:
    listener, other = Collector(ONE), Collector(OTHER)
    for one in (listener, other):
        bare_hub.add(one)
        assert bare_hub.go_live(one, 5)
    bare_hub.take_back(ONE, None)
    assert (listener.ending, other.ending) == (GONE, None)


def test_a_listener_gets_the_events_of_its_own_account_only(bare_hub: Hub) -> None:
    one, other = Collector(ONE), Collector(OTHER)
    for listener in (one, other):
        bare_hub.add(listener)
        assert bare_hub.go_live(listener, 0)
    bare_hub.deliver(event(1, ONE))
    bare_hub.deliver(event(1, OTHER))
    bare_hub.deliver(event(2, OTHER))
    assert (one.received, other.received) == ([1], [1, 2])


def test_a_listener_is_counted_once_when_it_is_identified_and_removed_twice(bare_hub: Hub) -> None:
    listener = Collector(ONE)
    bare_hub.add(listener)
    bare_hub.identify(listener, OTHER, uuid4())
    assert bare_hub.count == 1
    bare_hub.remove(listener)
    bare_hub.remove(listener)
    assert bare_hub.count == 0
    assert (bare_hub.accounts, bare_hub.followed) == (set(), set())


def test_a_process_that_stops_is_full(bare_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not bare_hub.is_full
    bare_hub.is_stopping = lambda: True
    assert bare_hub.is_full
    bare_hub.is_stopping = lambda: False
    monkeypatch.setattr("api.stream.hub.MAX_LISTENERS", 1)
    bare_hub.add(Collector(ONE))
    assert bare_hub.is_full


def test_a_nudge_for_an_account_without_listeners_is_ignored(bare_hub: Hub) -> None:
    bare_hub.nudge(ONE)
    assert bare_hub.take_nudged() == set()
    listener = Collector(ONE)
    bare_hub.add(listener)
    bare_hub.go_live(listener, 0)
    bare_hub.nudge(ONE)
    assert bare_hub.take_nudged() == {ONE}
    assert bare_hub.take_nudged() == set()


def test_more_events_than_one_read_takes_are_all_handed_out(
    hub: Hub, account: Callable[..., TestAccount], plain_sql: Database
) -> None:
    owner = account().id
    listener = Collector(owner)
    hub.add(listener)
    hub.go_live(listener, 2)
    plain_sql.change(owner, 2 * MAX_EVENTS_READ + 10)
    hub.take_nudged()
    hub.hand_out({owner})
    while nudged := hub.take_nudged():
        hub.hand_out(nudged)
    assert listener.received == list(range(3, 2 * MAX_EVENTS_READ + 13))


def test_a_revoked_token_closes_its_listeners_and_no_others(hub: Hub, account: Callable[..., TestAccount]) -> None:
    from trading.accounts import tokens

    owner = account().id
    revoked, good = (tokens.create_token(["read"], account_id=owner)[0] for _ in range(2))
    listeners = [Collector(owner, token_id) for token_id in (revoked, revoked, good, None)]
    for listener in listeners:
        hub.add(listener)
    hub.close_ended()
    assert {listener.ending for listener in listeners} == {None}
    tokens.revoke_token(revoked)
    hub.close_ended()
    assert [listener.ending for listener in listeners] == [EXPIRED, EXPIRED, None, None]


def test_a_deleted_token_closes_its_listeners(
    hub: Hub, account: Callable[..., TestAccount], plain_sql: Database
) -> None:
    from trading.accounts import tokens

    owner = account().id
    deleted, good = (tokens.create_token(["read"], account_id=owner)[0] for _ in range(2))
    listeners = [Collector(owner, token_id) for token_id in (deleted, good)]
    for listener in listeners:
        hub.add(listener)
    plain_sql.run("DELETE FROM api_token WHERE id = %s", deleted)
    hub.close_ended()
    assert [listener.ending for listener in listeners] == [EXPIRED, None]


def test_the_tokens_of_open_streams_are_used_today(
    hub: Hub, account: Callable[..., TestAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    from api.http.token_use import TokenUses
    from trading.accounts import tokens

    monkeypatch.setattr("api.stream.hub.token_uses", TokenUses())
    owner = account().id
    revoked, good = (tokens.create_token(["read"], account_id=owner)[0] for _ in range(2))
    for token_id in (revoked, good):
        hub.add(Collector(owner, token_id))
    tokens.revoke_token(revoked)
    hub.close_ended()
    used = {row["id"]: row["last_used_on"] for row in tokens.tokens_of(owner, with_ended=True)}
    assert used[good] == indian_day(datetime.now(UTC))
    assert used[revoked] is None


def test_a_full_queue_ends_its_stream_and_is_bounded() -> None:
    listener = QueueListener(ONE, None)
    for number in range(1, MAX_WAITING_MESSAGES + 50):
        listener.deliver(Message(number, "account.updated", "{}"))
    assert listener.ending == TOO_SLOW
    assert listener.queue.qsize() == MAX_WAITING_MESSAGES
    assert listener.take(0.01) is None


def test_closing_a_queue_wakes_the_thread_that_waits_for_it() -> None:
    listener = QueueListener(ONE, None)
    threading.Timer(0.1, listener.close, [EXPIRED]).start()
    assert listener.take(10) is None
    assert listener.ending == EXPIRED


@pytest.fixture
def reading(hub: Hub, account: Callable[..., TestAccount]) -> Iterator[UUID]:
    """Hand out an account's events in a thread until the test is over."""
    owner, stop = account().id, threading.Event()

    def read() -> None:
        while not stop.is_set():
            hub.hand_out({owner})

    thread = threading.Thread(target=read)
    thread.start()
    yield owner
    stop.set()
    thread.join()


def test_listeners_that_come_and_go_miss_and_repeat_no_event(hub: Hub, reading: UUID, plain_sql: Database) -> None:
    flowing = threading.Event()
    failures: list[str] = []

    def listen(seed: int) -> None:
        chance, last = random.Random(seed), 0
        while not flowing.is_set() or last < final:
            listener = Collector(reading)
            hub.add(listener)
            replayed = last
            while True:  # as the stream does: page by page until the hub takes over
                events = events_since(reading, replayed, 7)
                listener.received += [row["id"] for row in events]
                replayed = events[-1]["id"] if events else replayed
                if len(events) < 7 and hub.go_live(listener, replayed):
                    break
            flowing.wait(chance.random() * 0.02)
            hub.remove(listener)
            received = list(listener.received)
            if received != list(range(last + 1, last + 1 + len(received))):
                failures.append(f"after {last}: {received}")
                return
            last += len(received)

    final = 0
    threads = [threading.Thread(target=listen, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for _ in range(150):
        plain_sql.change(reading, 2)
    final = plain_sql.last_event_id(reading)
    flowing.set()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert final == 302
    assert hub.count == 0
