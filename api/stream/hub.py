"""The fan-out of one web process: the newest events of each account, handed to all its listeners."""

import threading
from collections import defaultdict
from collections.abc import Callable, Set
from uuid import UUID

from api.http.token_use import token_uses
from models.rows import EventRow
from runtime import metrics
from trading.accounts.tokens import ended_tokens
from trading.events.lost_events import EventMemory, Seen, present_server
from trading.events.reading import EventPage, new_events, page_since

from .listeners import EXPIRED, GONE, RESTARTING, Listener, Message, word

MAX_LISTENERS = 8_000
MAX_EVENTS_READ = 200  # of one account by one read
# Accounts whose newest event is remembered, with or without listeners; the least recently changed are dropped first.
REMEMBERED_ACCOUNTS = 20_000


class Hub:
    """Hands each account's new events to its listeners, in order, each once.

    `start` is called with the hub when the first listener comes, to start the threads that call hand_out
    (api.stream.hub_threads). Without it the caller does so.
    """

    def __init__(
        self,
        render: Callable[[EventRow], str],
        allowed: int = MAX_LISTENERS,
        start: Callable[["Hub"], None] | None = None,
    ) -> None:
        self.is_stopping: Callable[[], bool] = lambda: False
        self.memory = EventMemory(REMEMBERED_ACCOUNTS)
        self._render = render
        self._start = start
        self._lock = threading.Lock()
        self._listeners: dict[UUID | None, set[Listener]] = defaultdict(set)
        # The last event of each account that was handed out; later ones are read and handed out next.
        self._handed_out: dict[UUID, int] = {}
        self._nudged: set[UUID] = set()
        self._wake = threading.Event()
        self._count = 0
        self._allowed = min(allowed, MAX_LISTENERS)
        metrics.of(metrics.LISTENERS, "allowed").set(self._allowed)

    @property
    def count(self) -> int:
        """The number of listeners."""
        return self._count

    @property
    def is_full(self) -> bool:
        """True if the hub takes no further listener: it has as many as are allowed, or the process stops."""
        return self._count >= min(self._allowed, MAX_LISTENERS) or self.is_stopping()

    @property
    def accounts(self) -> Set[UUID | None]:
        """The accounts that have listeners; None is for listeners whose token is not known yet."""
        with self._lock:
            return set(self._listeners)

    @property
    def followed(self) -> Set[UUID]:
        """The accounts whose events are handed out."""
        with self._lock:
            return set(self._handed_out)

    def add(self, listener: Listener) -> None:
        """Add a listener; it gets nothing until it is live."""
        with self._lock:
            self._listeners[listener.account_id].add(listener)
            self._count += 1
            metrics.of(metrics.LISTENERS, "connected").set(self._count)
            start, self._start = self._start, None
        if start is not None:
            start(self)

    def remove(self, listener: Listener) -> None:
        """Remove a listener; do nothing if it is not there."""
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
        """Move a listener to its account, when its token is known."""
        self.remove(listener)
        listener.account_id, listener.token_id = account_id, token_id
        self.add(listener)

    def look_up(self, account_id: UUID, since: int | None = None, limit: int = 0) -> EventPage:
        """Return a page of events from a server that the memory was compared with; raises NotFound."""
        page = page_since(account_id, since or 0, limit)
        if self.memory.meet(page.server, self.take_back):
            page = page_since(account_id, since or 0, limit)
        self.memory.note(account_id, page.newest, page.server)
        return page

    def go_live(self, listener: Listener, last_event_id: int, server: str | None = None) -> bool:
        """Start to deliver events to a listener that has everything up to last_event_id.

        Return False if the hub has handed out later events, or if the listener's events come from another server than
        the one that the memory was compared with last.
        """
        account_id = listener.account_id
        assert account_id is not None
        with self._lock:
            if server is not None and server != self.memory.server:
                return False
            if self._handed_out.setdefault(account_id, last_event_id) > last_event_id:
                return False
            listener.last_event_id, listener.is_live = last_event_id, True
        self.nudge(account_id)  # an event committed since the listener's last read does not wait for the poll
        return True

    def nudge(self, account_id: UUID) -> None:
        """Have an account's new events handed out soon."""
        with self._lock:
            if account_id not in self._handed_out:
                return
            self._nudged.add(account_id)
        self._wake.set()

    def wait_for_nudge(self, timeout_s: float) -> None:
        """Wait until an account is nudged, at most so long."""
        self._wake.wait(timeout_s)
        self._wake.clear()

    def take_nudged(self) -> set[UUID]:
        """Return the accounts that were nudged since the last call."""
        with self._lock:
            nudged, self._nudged = self._nudged, set()
        return nudged

    def hand_out(self, account_ids: Set[UUID]) -> None:
        """Read the new events of these accounts and deliver them; nudge the accounts if there may be more."""
        with self._lock:
            wanted = {key: self._handed_out[key] for key in account_ids if key in self._handed_out}
        if not wanted:
            return
        events = new_events(wanted, MAX_EVENTS_READ)
        if events and self.memory.meet(events[0]["server"], self.take_back):
            self.hand_out(account_ids)
            return
        for event in events:
            self.deliver(event)
            self.memory.note(event["account_id"], Seen(event["id"], event["at"]), event["server"])
        if len(events) >= MAX_EVENTS_READ:  # one account may have more
            for account_id in wanted:
                self.nudge(account_id)

    def deliver(self, event: EventRow) -> None:
        """Deliver an event to the live listeners of its account; ignore it unless it follows the last one."""
        account_id, event_id = event["account_id"], event["id"]
        with self._lock:
            if self._handed_out.get(account_id) != event_id - 1:
                return  # the last listener left, and perhaps another came, while the events were read
            self._handed_out[account_id] = event_id
            targets = [listener for listener in self._listeners[account_id] if listener.is_live]
        message = Message(event_id, event["type"], self._render(event), event)
        for listener in targets:
            if listener.last_event_id < event_id:
                listener.last_event_id = event_id
                listener.deliver(message)

    def compare_server(self) -> None:
        """Compare the memory with the server that answers now, if it is another than the last one."""
        self.memory.meet(present_server(), self.take_back)

    def take_back(self, account_id: UUID, last: Seen | None) -> None:
        """Reset the listeners that got later events than the last one that still holds, and continue after it.

        Close all listeners of an account that no longer exists (None).
        """
        with self._lock:
            live = [listener for listener in self._listeners.get(account_id, ()) if listener.is_live]
            if last is None:
                for listener in live:
                    listener.close(GONE)
                return
            if self._handed_out.get(account_id, 0) > last.id:
                self._handed_out[account_id] = last.id
            for listener in live:
                if listener.last_event_id > last.id:
                    listener.last_event_id = last.id
                    listener.deliver(word("reset", last.id))
        self.nudge(account_id)

    def tick(self) -> None:
        """Let each listener do its due work; end all streams when the process stops."""
        stopping = self.is_stopping()
        for listener in self._all():
            if stopping:
                listener.close(RESTARTING)
            listener.tick()

    def close_ended(self) -> None:
        """Close the listeners whose token has expired, was revoked or no longer exists."""
        by_token = defaultdict(list)
        for listener in self._all():
            if listener.token_id is not None:
                by_token[listener.token_id].append(listener)
        if by_token:
            ended = ended_tokens(by_token)
            for token_id in ended:
                for listener in by_token[token_id]:
                    listener.close(EXPIRED)
            token_uses.note(by_token.keys() - set(ended))

    def _all(self) -> list[Listener]:
        with self._lock:
            return [listener for listeners in self._listeners.values() for listener in listeners]
