"""The check of DATABASE_URL by libpq at the start of a process, before every connect fails for the same reason.

gunicorn's main process uses this module: it may import nothing but psycopg2 (runtime.metrics_folder says why).
"""

from typing import Any
from urllib.parse import quote

import psycopg2
from psycopg2.extensions import parse_dsn

from config import ConfigurationError, Settings, urls

# No address: libpq checks it last, after every other parameter, and neither looks up a name nor connects.
NOWHERE = "no-address-at-all"
SCHEMA_HINT = "leave it out, or use options=-csearch_path%3DNAME"
# Parameters that other clients know, such as those of Prisma and SQLAlchemy, and libpq does not.
HINTS = {
    "schema": SCHEMA_HINT,
    "search_path": SCHEMA_HINT,
    "currentSchema": SCHEMA_HINT,
    "sslaccept": "use sslmode",
    "connection_limit": "set DATABASE_POOL_SIZE",
    "pool_size": "set DATABASE_POOL_SIZE",
}


def check(settings: Settings) -> None:
    """Raise ConfigurationError if libpq does not accept DATABASE_URL; an unset URL is accepted."""
    url = settings.database_url
    if url is None:
        return
    for name, value in urls.parameters(urls.DATABASE_URL, url):
        if _parse(f"postgresql://?{name}={quote(value)}") is None:
            hint = HINTS.get(name, "leave it out")
            raise _refusal(f"has the parameter {name}, which PostgreSQL's client library does not know: {hint}")
    parts = _parse(url)
    if parts is None:
        raise _refusal("cannot be read by PostgreSQL's client library")
    if complaint := _complaint(parts):
        raise _refusal(f"is refused by PostgreSQL's client library: {complaint}")


def _refusal(text: str) -> ConfigurationError:
    return ConfigurationError(f"{urls.DATABASE_URL} {text}")


def _parse(url: str) -> dict[str, Any] | None:
    try:
        return dict(parse_dsn(url))
    except (psycopg2.ProgrammingError, UnicodeDecodeError):  # the error's text may hold a part of a password
        return None


def _complaint(parts: dict[str, Any]) -> str | None:
    """Return libpq's error about the values of a URL, such as an unknown mode, or None."""
    hosts = parts.get("hostaddr") or parts.get("host", "")
    nowhere = ",".join(NOWHERE for _ in hosts.split(","))
    try:
        psycopg2.connect(**(parts | {"hostaddr": nowhere}), async_=True).close()
    except psycopg2.OperationalError as error:
        text = str(error)
        return None if f'"{NOWHERE}"' in text else " ".join(text.split())
    return None
