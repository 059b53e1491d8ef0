"""The process's link to Redis: every use is bounded in time, and a Redis that fails is left alone for a while."""

import time
from collections.abc import Callable
from typing import TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from trading.logs import get_logger

# One request may count itself and send, each over a connection that it may have to open: a connect and
# a read, twice, stay under a second. What took as long as a failure may have taken counts as one.
TIMEOUT_S = 0.2
SLOW_S = 2 * TIMEOUT_S
# One hiccup costs little: the pause doubles with every failure in a row.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 1.0

Answer = TypeVar("Answer")

logger = get_logger(__name__)
# Connects on first use, through the pool that configure() gives it, whose protocol decides how answers are read.
client = redis.Redis(protocol=2)
_url: str | None = None
_paused_until = 0.0
_pause_s = FIRST_PAUSE_S


def make_pool(url: str, *, timeout_s: float) -> redis.ConnectionPool:
    """Return a pool whose connects and reads are bounded and never retried behind our back.

    A rediss:// certificate is not verified unless the URL says so (`?ssl_cert_reqs=required`):
    hosted Redis offers are commonly self-signed.
    """
    options = {"ssl_cert_reqs": "none", "ssl_check_hostname": False} if url.startswith("rediss://") else {}
    return redis.ConnectionPool.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        max_connections=1000,
        # Every answer awaited on a new connection may take the whole time-out: none but ours.
        protocol=2,
        driver_info=None,
        **options,
    )


def configure(url: str | None) -> None:
    """Point this process at a Redis, or at none; nothing is connected until the first use."""
    global _url
    _url = url
    _end_pause()
    if url is not None:
        client.connection_pool = make_pool(url, timeout_s=TIMEOUT_S)


def dedicated_client(timeout_s: float) -> redis.Redis:
    """Return a client with a pool of its own, for a connection that may wait longer; close it after use."""
    if _url is None:
        raise redis.ConnectionError("no Redis is configured")
    return redis.Redis.from_pool(make_pool(_url, timeout_s=timeout_s))


def is_enabled() -> bool:
    """Tell whether this process has a Redis at all."""
    return _url is not None


def attempt(action: Callable[[], object]) -> bool:
    """Do some Redis work and tell whether it was done; never raise, never wait long."""
    start = time.monotonic()
    if _url is None or start < _paused_until:
        return False
    try:
        action()
    except Exception as error:  # noqa: BLE001  whatever it is, the order is safe and sweeping recovers
        logger.warning("redis_failed", error=type(error).__name__, detail=str(error))
        _pause()
        return False
    if time.monotonic() - start > SLOW_S:
        _pause()
    else:
        _end_pause()
    return True


def ask(question: Callable[[], Answer]) -> Answer | None:
    """Return what Redis answers, None when it does not; never raise, never wait long."""
    answers: list[Answer] = []
    attempt(lambda: answers.append(question()))
    return answers[0] if answers else None


def _pause() -> None:
    global _paused_until, _pause_s
    _paused_until = time.monotonic() + _pause_s
    _pause_s = min(2 * _pause_s, LONGEST_PAUSE_S)


def _end_pause() -> None:
    global _paused_until, _pause_s
    _paused_until, _pause_s = 0.0, FIRST_PAUSE_S
