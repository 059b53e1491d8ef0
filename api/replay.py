"""What a stream begins with: where it stands, what came after `since`, then over to the hub without a gap."""

from collections.abc import Iterator
from uuid import UUID

from trading import metrics
from trading.events import bounds, events_since, is_kept

from .answers import encode
from .event_view import as_text
from .hub import Hub
from .listeners import Listener, Message

REPLAY_PAGE = 200


def replay(hub: Hub, listener: Listener, account_id: UUID, since: int | None) -> Iterator[Message]:
    """Yield `ready`, the events after since, and `reset` where they are no longer kept; then the listener is live."""
    oldest, newest = bounds(account_id)
    last_sent = newest if since is None else since
    # A reader of server-sent events whose connection breaks before the first event goes on from here, and misses none.
    yield _note("ready", newest, last_sent)
    is_whole = is_kept(last_sent, oldest, newest)
    metrics.of(metrics.REPLAYS, "live" if since is None else "replayed" if is_whole else "reset").inc()
    if not is_whole:
        last_sent = newest
        yield _note("reset", newest, newest)
    while True:
        events = events_since(account_id, last_sent, REPLAY_PAGE)
        if events and events[0]["id"] != last_sent + 1:  # deleted for their age since the look above
            last_sent = bounds(account_id)[1]
            yield _note("reset", last_sent, last_sent)
            continue
        for event in events:
            last_sent = event["id"]
            yield Message(last_sent, event["type"], as_text(event))
        # A full page has more behind it, and what the hub handed out meanwhile is missing here.
        if len(events) < REPLAY_PAGE and hub.go_live(listener, last_sent):
            return


def _note(name: str, last_event_id: int, event_id: int) -> Message:
    return Message(event_id, name, encode({"type": name, "lastEventId": last_event_id}))
