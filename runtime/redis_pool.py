"""A pool of connections to Redis, which closes those of no more use."""

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config import sentinel_urls
from runtime import descriptors
from runtime.redis_connection import UNVERIFIED, Connection, EncryptedConnection
from runtime.redis_sentinel import Address, EncryptedPrimaryConnection, PrimaryConnection, Sentinels, sentinels_of


class Pool(redis.ConnectionPool):
    """A pool that closes its idle connections after one has failed, since all lead to the same server."""

    def release(self, connection: Any) -> None:
        """Take a connection back, to be used again unless it has failed."""
        has_failed = connection.is_useless or not connection.is_connected
        super().release(connection)
        if has_failed:
            self.disconnect(inuse_connections=False)


def make_pool(url: str, *, timeout_s: float) -> Pool:
    """Return a pool whose connects and reads are bounded, and which never retries by itself.

    With a URL of Sentinels every connect goes to the primary that they name. A certificate is verified only if the
    URL asks for it (`?ssl_cert_reqs=required`).
    """
    options = dict(UNVERIFIED) if (is_encrypted := url.startswith("rediss")) else {}
    if sentinel_urls.is_one(url):
        options["sentinels"] = sentinels_of(url)
        options["connection_class"] = EncryptedPrimaryConnection if is_encrypted else PrimaryConnection
        url = sentinel_urls.split(url).server_url
    else:
        options["connection_class"] = EncryptedConnection if is_encrypted else Connection
    return Pool.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        max_connections=descriptors.for_redis(),
        # Each answer awaited on a new connection may take the whole time-out, so the client asks for none by itself.
        protocol=2,
        driver_info=None,
        **options,
    )


def primary_of(client: redis.Redis) -> Address | None:
    """Return the primary that Sentinels name to a client; None without Sentinels, or before they have answered."""
    sentinels: Sentinels | None = client.connection_pool.connection_kwargs.get("sentinels")
    return sentinels.known if sentinels else None
