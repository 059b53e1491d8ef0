"""Sentinels and their servers behind TLS, as rediss+sentinel:// names them."""

import asyncio
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from runtime.redis_pool import make_pool
from tests.deploy.tls import TlsFront
from tests.support.sentinels import HOST, SERVICE, FakeSentinel


@pytest.fixture
def sentinel_over_tls(certificate: Path, redis_over_tls: TlsFront) -> Iterator[TlsFront]:
    """Put TLS before a Sentinel that names the Redis behind TLS."""
    fake = FakeSentinel(redis_over_tls.port)
    front = TlsFront(certificate, functools.partial(asyncio.open_connection, HOST, fake.port))
    yield front
    front.close()
    fake.close()


def test_sentinels_and_servers_are_reached_over_tls(sentinel_over_tls: TlsFront) -> None:
    url = f"rediss+sentinel://{HOST}:{sentinel_over_tls.port}/{SERVICE}"
    assert redis.Redis.from_pool(make_pool(url, timeout_s=5)).ping()
    strict = redis.Redis.from_pool(make_pool(f"{url}?ssl_cert_reqs=required", timeout_s=5))
    with pytest.raises(redis.ConnectionError, match="no Sentinel"):
        strict.ping()
