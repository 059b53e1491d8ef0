"""The process's link to Redis: every use is bounded in time, and a Redis that fails is left alone for a while."""

import contextvars
import time
from collections.abc import Callable
from typing import TypeVar

import redis

from config import REDIS_NAMESPACE
from runtime.logs import get_logger
from runtime.redis_pool import make_pool

# All that one request does here shares a second. A use takes two time-outs at most, a connect and a read,
# and is left out when less than that remains.
REQUEST_S = 1.0
TIMEOUT_S = 0.3
SLOW_S = REQUEST_S - 2 * TIMEOUT_S
# After a failure that took longer than this, whatever it was, and after an answer so late that the request has no time
# for another use, Redis is left alone for a second. What fails at once costs nobody time: its pause begins short and
# doubles with every failure in a row. The shortest time-out is 0.15 s, for the name.
QUICK_S = 0.1
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0

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
    """Point this process at a namespace of a Redis, or at none; nothing is connected until the first use."""
    global _url, _namespace
    _url, _namespace = url, namespace
    _end_pause()
    if url is not None:
        client.connection_pool = make_pool(url, timeout_s=TIMEOUT_S)


def key(name: str) -> str:
    """Return the full name of a key or channel: every one begins with the deployment's namespace."""
    return f"{_namespace}:{name}"


def prove_writable(target: redis.Redis = client) -> None:
    """Write a key: a server that is full, or a replica after a failover, still answers a ping.

    Raises redis.RedisError; a pipeline as the target does so when it is executed.
    """
    target.set(key("ready"), 1, px=60_000)


def dedicated_client(timeout_s: float) -> redis.Redis:
    """Return a client with a pool of its own, for a connection that may wait longer; close it after use."""
    if _url is None:
        raise redis.ConnectionError("no Redis is configured")
    return redis.Redis.from_pool(make_pool(_url, timeout_s=timeout_s))


def is_enabled() -> bool:
    """Tell whether this process has a Redis at all."""
    return _url is not None


def allow(seconds: float | None) -> None:
    """Let all that follows in this context share a time, such as a request's; None takes the limit away."""
    _left_s.set(seconds)


def attempt(action: Callable[[], object]) -> bool:
    """Do some Redis work and tell whether it was done; never raise, never wait long."""
    global _paused_until
    start, left_s = time.monotonic(), _left_s.get()
    if _url is None or start < _paused_until or (left_s is not None and left_s < REQUEST_S - SLOW_S):
        return False
    if _pause_s > FIRST_PAUSE_S:  # the last try failed: one finds out whether Redis is back, nobody else waits for it
        _paused_until = start + LONGEST_PAUSE_S
    try:
        action()
    except Exception as error:  # noqa: BLE001  whatever it is, the order is safe and sweeping recovers
        logger.warning("redis_failed", error=type(error).__name__, detail=str(error))
        _pause(LONGEST_PAUSE_S if time.monotonic() - start > QUICK_S else _pause_s)
        return False
    finally:
        took_s = time.monotonic() - start
        if left_s is not None:
            _left_s.set(left_s - took_s)
    if took_s > SLOW_S:
        _pause(LONGEST_PAUSE_S)
    else:
        _end_pause()
    return True


def ask(question: Callable[[], Answer]) -> Answer | None:
    """Return what Redis answers, None when it does not; never raise, never wait long."""
    answers: list[Answer] = []
    attempt(lambda: answers.append(question()))
    return answers[0] if answers else None


def _pause(length_s: float) -> None:
    global _paused_until, _pause_s
    _paused_until = time.monotonic() + length_s
    _pause_s = min(2 * length_s, LONGEST_PAUSE_S)


def _end_pause() -> None:
    global _paused_until, _pause_s
    _paused_until, _pause_s = 0.0, FIRST_PAUSE_S
