"""Fixtures of the deployment patterns: servers behind TLS, and settings of production."""

import asyncio
import functools
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.deploy.tls import Connect, TlsFront, make_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a self-signed certificate, as Heroku's Redis has one."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed, which makes the certificate")
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def postgres_over_tls(certificate: Path, database_url: str) -> Iterator[TlsFront]:
    """Return the run's PostgreSQL behind TLS, which it demands."""
    front = TlsFront(certificate, _postgres(database_url), is_postgres=True)
    yield front
    front.close()


@pytest.fixture
def redis_over_tls(certificate: Path, setting_values: dict[str, str]) -> Iterator[TlsFront]:
    """Return the run's Valkey behind TLS."""
    parts = urlsplit(setting_values["REDIS_URL"])
    front = TlsFront(certificate, functools.partial(asyncio.open_connection, parts.hostname, parts.port or 6379))
    yield front
    front.close()


@pytest.fixture
def production(
    setting_values: dict[str, str], database_url: str, postgres_over_tls: TlsFront, redis_over_tls: TlsFront
) -> dict[str, str]:
    """Return settings as a host gives them: production, `postgres://`, `rediss://`, and TLS to both."""
    database = urlsplit(database_url)
    user = database.netloc.rpartition("@")[0] or "postgres"
    return {
        "TRADEPOST_ENV": "production",
        "DATABASE_URL": f"postgres://{user}@127.0.0.1:{postgres_over_tls.port}{database.path}?sslmode=require",
        "REDIS_URL": f"rediss://127.0.0.1:{redis_over_tls.port}{urlsplit(setting_values['REDIS_URL']).path}",
    }


def _postgres(url: str) -> Connect:
    parts, query = urlsplit(url), parse_qs(urlsplit(url).query)
    port = int(query.get("port", [parts.port or 5432])[0])
    if folder := query.get("host", [None])[0]:
        return functools.partial(asyncio.open_unix_connection, f"{folder}/.s.PGSQL.{port}")
    return functools.partial(asyncio.open_connection, parts.hostname, port)
