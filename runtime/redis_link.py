"""This process's link to Redis: every use is bounded in time, and a failing Redis is left alone for a while."""

import contextvars
import time
from collections.abc import Callable
from typing import TypeVar

import redis

from config import REDIS_NAMESPACE
from runtime.logs import get_logger
from runtime.redis_pool import make_pool

# All Redis work of one request shares a second. A use takes at most two time-outs, a connect and a read,
# and is skipped if less time than that remains.
REQUEST_S = 1.0
TIMEOUT_S = 0.3
SLOW_S = REQUEST_S - 2 * TIMEOUT_S
# After a failure that took longer than QUICK_S, and after an answer so late that the request has no time for another
# use, Redis is left alone for a second. A failure at once costs no time: its pause begins short and doubles with every
# failure in a row. The shortest time-out is 0.15 s, for the name.
QUICK_S = 0.1
FIRST_PAUSE_S, MAX_PAUSE_S = 0.1, 1.0

Answer = TypeVar("Answer")

logger = get_logger(__name__)
# Connects on first use, through the pool that configure() gives it, whose protocol decides how answers are read.
client = redis.Redis(protocol=2)
_url: str | None = None
_namespace = REDIS_NAMESPACE
_paused_until = 0.0
_pause_s = FIRST_PAUSE_S
_left_s: contextvars.ContextVar[float | None] = contextvars.ContextVar("left_s", default=None)


def configure(url: str | None, namespace: str = REDIS_NAMESPACE) -> None:
    """Name the Redis and the namespace of this process, or no Redis (None); it connects on first use."""
    global _url, _namespace
    _url, _namespace = url, namespace
    _end_pause()
    if url is not None:
        client.connection_pool = make_pool(url, timeout_s=TIMEOUT_S)


def key(name: str) -> str:
    """Return the full name of a key or channel, which begins with the deployment's namespace."""
    return f"{_namespace}:{name}"


def prove_writable(target: redis.Redis = client) -> None:
    """Write a key, since a full server, or a replica after a failover, still answers a ping.

    Raises redis.RedisError; with a pipeline as the target, its execute() raises.
    """
    target.set(key("ready"), 1, px=60_000)


def dedicated_client(timeout_s: float) -> redis.Redis:
    """Return a client with its own pool and time-out, for waits longer than a request's; close it after use."""
    if _url is None:
        raise redis.ConnectionError("no Redis is configured")
    return redis.Redis.from_pool(make_pool(_url, timeout_s=timeout_s))


def is_enabled() -> bool:
    """Return True if this process has a Redis."""
    return _url is not None


def allow(limit_s: float | None) -> None:
    """Limit the total time of Redis work in this context, such as a request; None removes the limit."""
    _left_s.set(limit_s)


def attempt(action: Callable[[], object]) -> bool:
    """Do some Redis work and return True if it was done; never raise, never wait long."""
    global _paused_until
    start, left_s = time.monotonic(), _left_s.get()
    if _url is None or start < _paused_until or (left_s is not None and left_s < REQUEST_S - SLOW_S):
        return False
    if _pause_s > FIRST_PAUSE_S:  # the last use failed: one caller tries again, the others skip meanwhile
        _paused_until = start + MAX_PAUSE_S
    try:
        action()
    except Exception as error:  # noqa: BLE001  the order is in the database, and sweeping executes it
        logger.warning("redis_failed", error=type(error).__name__, detail=str(error))
        _pause(MAX_PAUSE_S if time.monotonic() - start > QUICK_S else _pause_s)
        return False
    finally:
        took_s = time.monotonic() - start
        if left_s is not None:
            _left_s.set(left_s - took_s)
    if took_s > SLOW_S:
        _pause(MAX_PAUSE_S)
    else:
        _end_pause()
    return True


def ask(question: Callable[[], Answer]) -> Answer | None:
    """Return the answer of Redis, or None without one; never raise, never wait long."""
    answers: list[Answer] = []
    attempt(lambda: answers.append(question()))
    return answers[0] if answers else None


def _pause(length_s: float) -> None:
    global _paused_until, _pause_s
    _paused_until = time.monotonic() + length_s
    _pause_s = min(2 * length_s, MAX_PAUSE_S)


def _end_pause() -> None:
    global _paused_until, _pause_s
    _paused_until, _pause_s = 0.0, FIRST_PAUSE_S
