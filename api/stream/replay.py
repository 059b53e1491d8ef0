"""What a stream begins with: where it stands, what came after `since`, then over to the hub without a gap."""

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
    """Yield `ready`, the events after since, and `reset` where they are no longer kept; then the listener is live."""
    found = hub.look_up(account_id, since)
    last_sent = found.newest.id if since is None else since
    # A reader of server-sent events whose connection breaks before the first event goes on from here, and misses none.
    yield word("ready", found.newest.id, last_sent)
    is_whole = found.keeps(last_sent)
    metrics.of(metrics.REPLAYS, "live" if since is None else "replayed" if is_whole else "reset").inc()
    while True:
        if not is_whole:
            last_sent = found.newest.id
            yield word("reset", last_sent)
        events = events_since(account_id, last_sent, REPLAY_PAGE)
        # Otherwise deleted for their age since the look above.
        is_whole = not events or events[0]["id"] == last_sent + 1
        for event in events if is_whole else ():
            last_sent = event["id"]
            yield Message(last_sent, event["type"], as_text(event))
        # A full page has more behind it.
        if is_whole and len(events) == REPLAY_PAGE:
            continue
        if is_whole and hub.go_live(listener, last_sent, found.server):
            return
        # The hub has handed out what is missing here, or is with another server. Where that lasts this is no busy loop.
        time.sleep(LOOK_AGAIN_S)
        server, found = found.server, hub.look_up(account_id, last_sent)
        is_whole = is_whole and (found.server == server or found.keeps(last_sent))
