"""The two threads of a hub: one reads new events from the database, one follows the nudges in Redis."""

import functools
import threading
import time
from uuid import UUID

import redis

from models.database import DatabaseUnavailable
from runtime import redis_link
from runtime.logs import get_logger
from trading.events.publishing import CALL, call_listeners, channel

from .hub import Hub
from .subscription import follow

# A nudge can be lost; the poll finds its events.
POLL_S = 1.0
TOKEN_CHECK_S = 5.0
logger = get_logger(__name__)


def start(hub: Hub) -> None:
    """Start both threads; they end with the process."""
    for run, name in ((_read, "hub-reader"), (_subscribe, "hub-subscription")):
        threading.Thread(target=functools.partial(run, hub), name=name, daemon=True).start()


def _read(hub: Hub) -> None:
    next_poll = next_token_check = 0.0
    while True:
        hub.wait_for_nudge(max(0.0, next_poll - time.monotonic()))
        try:
            if time.monotonic() >= next_poll:
                next_poll = time.monotonic() + POLL_S
                hub.tick()
                hub.compare_server()
                hub.hand_out(hub.followed)
            else:
                hub.hand_out(hub.take_nudged())
            if time.monotonic() >= next_token_check:
                next_token_check = time.monotonic() + TOKEN_CHECK_S
                hub.close_ended()
        except DatabaseUnavailable as error:
            logger.warning("hub_waits_for_database", error=str(error))
        except Exception:  # one bad event may not end the reader of thousands of listeners
            logger.exception("hub_failed")


def _subscribe(hub: Hub) -> None:
    while redis_link.is_enabled():
        try:
            follow(channel("*"), functools.partial(_nudge_named, hub), call_listeners, lambda: True)
        except redis.RedisError as error:
            logger.warning("hub_waits_for_redis", error=str(error))
        time.sleep(POLL_S)


def _nudge_named(hub: Hub, named: str, _: bytes) -> None:
    name = named.removeprefix(channel(""))
    if name == CALL:
        return
    try:
        hub.nudge(UUID(name))
    except ValueError:  # any client of Redis may publish any text
        logger.warning("hub_ignores_channel", channel=name[:100])
