"""The fan-out of one web process: one Redis subscription and one reader, whatever the number of listeners."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from uuid import UUID

import redis

from models.database import DatabaseUnavailable
from models.rows import EventRow
from runtime import metrics, redis_link
from runtime.logs import get_logger
from trading.accounts.tokens import ended_tokens
from trading.events.lost_events import EventMemory, Seen, present_server
from trading.events.publishing import CALL, call_listeners, channel
from trading.events.reading import EventPage, new_events, page_since

from .listeners import EXPIRED, GONE, RESTARTING, Listener, Message, word

# A nudge can be lost; a look once a second finds what it announced.
POLL_S = 1.0
TOKEN_CHECK_S = 5.0
MAX_LISTENERS = 8_000
BATCH = 200  # events of one account read at once
# The subscription's own connection may wait longer than a request's.
SUBSCRIPTION_TIMEOUT_S = 3.0
# After this long without a nudge the process calls itself. A subscription that does not hear it leads to a server that
# is silent, or that nobody publishes on any more since another took its place.
SILENCE_S = 1.0

# Accounts whose newest event is remembered, listeners or not; of more the longest quiet ones are forgotten.
REMEMBERED_ACCOUNTS = 20_000

logger = get_logger(__name__)


class Hub:
    """Hands each account's new events to its listeners, in order, each once."""

    def __init__(self, render: Callable[[EventRow], str], allowed: int = MAX_LISTENERS) -> None:
        self.is_stopping: Callable[[], bool] = lambda: False
        self._render = render
        self._lock = threading.Lock()
        self._listeners: dict[UUID | None, set[Listener]] = defaultdict(set)
        # The last event of each account that was handed out: what is later is read and handed out next.
        self._handed_out: dict[UUID, int] = {}
        self._memory = EventMemory(REMEMBERED_ACCOUNTS)
        self._nudged: set[UUID] = set()
        self._wake = threading.Event()
        self._count = 0
        self._allowed = min(allowed, MAX_LISTENERS)
        metrics.of(metrics.LISTENERS, "allowed").set(self._allowed)
        self._started = False

    @property
    def count(self) -> int:
        """How many listeners there are."""
        return self._count

    @property
    def is_full(self) -> bool:
        """Whether another listener would be one too many, or too late."""
        return self._count >= min(self._allowed, MAX_LISTENERS) or self.is_stopping()

    def add(self, listener: Listener) -> None:
        """Take a listener in; it gets nothing until it is live."""
        with self._lock:
            self._listeners[listener.account_id].add(listener)
            self._count += 1
            metrics.of(metrics.LISTENERS, "connected").set(self._count)
            starting, self._started = not self._started, True
        if starting:
            threading.Thread(target=self._read, name="hub-reader", daemon=True).start()
            threading.Thread(target=self._subscribe, name="hub-subscription", daemon=True).start()

    def remove(self, listener: Listener) -> None:
        """Let a listener go."""
        with self._lock:
            listeners = self._listeners.get(listener.account_id, set())
            if listener not in listeners:
                return
            listeners.remove(listener)
            self._count -= 1
            metrics.of(metrics.LISTENERS, "connected").set(self._count)
            if not listeners:
                del self._listeners[listener.account_id]
                if listener.account_id is not None:
                    self._handed_out.pop(listener.account_id, None)

    def identify(self, listener: Listener, account_id: UUID, token_id: UUID) -> None:
        """Give a listener, once its token is known, to its account."""
        self.remove(listener)
        listener.account_id, listener.token_id = account_id, token_id
        self.add(listener)

    def look_up(self, account_id: UUID, since: int | None = None, limit: int = 0) -> EventPage:
        """Return a page of events, by a server that was compared with what was told; raises NotFound."""
        page = page_since(account_id, since or 0, limit)
        if self._memory.meet(page.server, self._take_back):
            page = page_since(account_id, since or 0, limit)
        self._memory.note(account_id, page.newest, page.server)
        return page

    def go_live(self, listener: Listener, last_event_id: int, server: str | None = None) -> bool:
        """Let a listener that has everything up to an event have the rest.

        False when it has missed some since, or has them from another server than the one that was compared last.
        """
        account_id = listener.account_id
        assert account_id is not None
        with self._lock:
            if server is not None and server != self._memory.server:
                return False
            if self._handed_out.setdefault(account_id, last_event_id) > last_event_id:
                return False
            listener.last_event_id, listener.is_live = last_event_id, True
        self.nudge(account_id)  # what was committed between the last look and now need not wait for the poll
        return True

    def nudge(self, account_id: UUID) -> None:
        """Have an account looked at soon."""
        with self._lock:
            if account_id not in self._handed_out:
                return
            self._nudged.add(account_id)
        self._wake.set()

    def _read(self) -> None:
        next_poll = next_token_check = 0.0
        while True:
            self._wake.wait(max(0.0, next_poll - time.monotonic()))
            self._wake.clear()
            try:
                if time.monotonic() >= next_poll:
                    next_poll = time.monotonic() + POLL_S
                    self._look_after_listeners()
                    self._memory.meet(present_server(), self._take_back)
                    self._hand_out(set(self._handed_out))
                else:
                    self._hand_out(self._take_nudged())
                if time.monotonic() >= next_token_check:
                    next_token_check = time.monotonic() + TOKEN_CHECK_S
                    self._close_ended()
            except DatabaseUnavailable as error:
                logger.warning("hub_waits_for_database", error=str(error))
            except Exception:  # the reader of thousands of listeners may not end with one bad event
                logger.exception("hub_failed")

    def _take_nudged(self) -> set[UUID]:
        with self._lock:
            nudged, self._nudged = self._nudged, set()
        return nudged

    def _hand_out(self, account_ids: set[UUID]) -> None:
        with self._lock:
            wanted = {key: self._handed_out[key] for key in account_ids if key in self._handed_out}
        if not wanted:
            return
        events = new_events(wanted, BATCH)
        if events and self._memory.meet(events[0]["server"], self._take_back):
            self._hand_out(account_ids)
            return
        for event in events:
            self._deliver(event)
            self._memory.note(event["account_id"], Seen(event["id"], event["at"]), event["server"])
        if len(events) >= BATCH:  # one account may have more
            for account_id in wanted:
                self.nudge(account_id)

    def _deliver(self, event: EventRow) -> None:
        account_id, event_id = event["account_id"], event["id"]
        with self._lock:
            if self._handed_out.get(account_id) != event_id - 1:
                return  # its last listener left, perhaps another came, while the events were read
            self._handed_out[account_id] = event_id
            targets = [listener for listener in self._listeners[account_id] if listener.is_live]
        message = Message(event_id, event["type"], self._render(event))
        for listener in targets:
            if listener.last_event_id < event_id:
                listener.last_event_id = event_id
                listener.deliver(message)

    def _take_back(self, account_id: UUID, last: Seen | None) -> None:
        """Tell those who have heard more than the last event that still holds, and go on from there."""
        with self._lock:
            heard = [one for one in self._listeners.get(account_id, ()) if one.is_live]
            if last is None:
                for listener in heard:
                    listener.close(GONE)
                return
            if self._handed_out.get(account_id, 0) > last.id:
                self._handed_out[account_id] = last.id
            for listener in heard:
                if listener.last_event_id > last.id:
                    listener.last_event_id = last.id
                    listener.deliver(word("reset", last.id))
        self.nudge(account_id)

    def _look_after_listeners(self) -> None:
        stopping = self.is_stopping()
        for listener in self._all():
            if stopping:
                listener.close(RESTARTING)
            listener.tick()

    def _close_ended(self) -> None:
        by_token = defaultdict(list)
        for listener in self._all():
            if listener.token_id is not None:
                by_token[listener.token_id].append(listener)
        if by_token:
            for token_id in ended_tokens(by_token):
                for listener in by_token[token_id]:
                    listener.close(EXPIRED)

    def _all(self) -> list[Listener]:
        with self._lock:
            return [listener for listeners in self._listeners.values() for listener in listeners]

    def _subscribe(self) -> None:
        while redis_link.is_enabled():
            try:
                self._follow_nudges()
            except redis.RedisError as error:
                logger.warning("hub_waits_for_redis", error=str(error))
            time.sleep(POLL_S)

    def _follow_nudges(self) -> None:
        with redis_link.dedicated_client(SUBSCRIPTION_TIMEOUT_S) as client, client.pubsub() as subscription:
            subscription.psubscribe(channel("*"))
            is_called = False
            while True:
                message = subscription.get_message(timeout=SILENCE_S)
                if message is not None:
                    is_called = False
                    if message["type"] == "pmessage":
                        self._nudge_named(message["channel"].decode(errors="replace").removeprefix(channel("")))
                elif is_called:
                    raise redis.TimeoutError("the subscription hears nothing")
                else:
                    is_called = True
                    if not redis_link.attempt(call_listeners):
                        subscription.ping()

    def _nudge_named(self, name: str) -> None:
        if name == CALL:
            return
        try:
            self.nudge(UUID(name))
        except ValueError:  # anybody may publish anything
            logger.warning("hub_heard_nonsense", channel=name[:100])
