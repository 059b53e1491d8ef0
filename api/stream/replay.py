"""The start of a stream: its position, the events after `since`, then the hub takes over without a gap."""

import time
from collections.abc import Iterator
from uuid import UUID

from runtime import metrics
from trading.events.reading import events_since

from .event_view import as_text
from .hub import Hub
from .listeners import Listener, Message, word

REPLAY_PAGE = 200
LOOK_AGAIN_S = 0.01


def replay(hub: Hub, listener: Listener, account_id: UUID, since: int | None) -> Iterator[Message]:
    """Yield `ready`, then the events after since, or `reset` if some are no longer kept; then the listener is live."""
    found = hub.look_up(account_id, since)
    last_sent = found.newest.id if since is None else since
    # A reader of server-sent events whose connection breaks before the first event resumes from here and misses none.
    yield word("ready", found.newest.id, last_sent)
    is_whole = found.keeps(last_sent)
    metrics.of(metrics.REPLAYS, "live" if since is None else "replayed" if is_whole else "reset").inc()
    while True:
        if not is_whole:
            last_sent = found.newest.id
            yield word("reset", last_sent)
        events = events_since(account_id, last_sent, REPLAY_PAGE)
        # A gap means that retention has deleted events since the look above.
        is_whole = not events or events[0]["id"] == last_sent + 1
        for event in events if is_whole else ():
            last_sent = event["id"]
            yield Message(last_sent, event["type"], as_text(event), event)
        # More events may follow a full page.
        if is_whole and len(events) == REPLAY_PAGE:
            continue
        if is_whole and hub.go_live(listener, last_sent, found.server):
            return
        # The hub has handed out later events, or reads from another server. The pause prevents a busy loop.
        time.sleep(LOOK_AGAIN_S)
        server, found = found.server, hub.look_up(account_id, last_sent)
        is_whole = is_whole and (found.server == server or found.keeps(last_sent))
