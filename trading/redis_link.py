"""The process's link to Redis: every use is bounded in time, and a Redis that failed is left alone for a second."""

import time
from collections.abc import Callable

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from trading.logs import get_logger

# One request may count itself and send; together they may not take more than a second. A step that
# fails or is slow ends the request's Redis work, so the worst case is SLOW_S twice and then
# one connect and one read: 0.15 + 0.15 + 0.25 + 0.25 s.
TIMEOUT_S = 0.25
SLOW_S = 0.15
PAUSE_S = 1.0

logger = get_logger(__name__)
client = redis.Redis()  # connects on first use, through the pool that configure() gives it
_url: str | None = None
_paused_until = 0.0


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
        **options,
    )


def configure(url: str | None) -> None:
    """Point this process at a Redis, or at none; nothing is connected until the first use."""
    global _url, _paused_until
    _url = url
    _paused_until = 0.0
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
    global _paused_until
    start = time.monotonic()
    if _url is None or start < _paused_until:
        return False
    try:
        action()
    except Exception as error:  # noqa: BLE001  whatever it is, the order is safe and sweeping recovers
        _paused_until = time.monotonic() + PAUSE_S
        logger.warning("redis_failed", error=type(error).__name__, detail=str(error))
        return False
    now = time.monotonic()
    if now - start > SLOW_S:
        _paused_until = now + PAUSE_S
    return True
