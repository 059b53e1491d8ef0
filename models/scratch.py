"""A database that is made for one run and dropped after it, on the server of a URL."""

import contextlib
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import make_dsn, parse_dsn

from models.database import execute
from models.places import for_writing

# Statistics that arrive at some moment would change plans at that moment.
WITHOUT_VACUUM = """
DO $$
DECLARE
    the_table regclass;
BEGIN
    FOR the_table IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace LOOP
        EXECUTE format('ALTER TABLE %%s SET (autovacuum_enabled = off)', the_table);
    END LOOP;
END $$
"""


class ScratchRefused(Exception):
    """The server makes no database for this role; the message is one line with the reason."""


@contextlib.contextmanager
def scratch_database(url: str) -> Iterator[str]:
    """Create a database beside that of a URL, yield its URL, and drop it; raises ScratchRefused.

    A commit in it does not wait for the disk.
    """
    name = f"tradepost_replay_{os.getpid()}_{os.urandom(3).hex()}"
    try:
        _administer(
            url,
            sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0").format(sql.Identifier(name)),
            sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(name)),
        )
    except psycopg2.Error as error:
        raise ScratchRefused(str(error).strip().split("\n")[0]) from None
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl().replace(":///", "://", 1)
    finally:
        _administer(url, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def keep_plans() -> None:
    """Let no automatic vacuum reach the tables of the open session's database."""
    execute(WITHOUT_VACUUM)


def _administer(url: str, *statements: sql.Composable) -> None:
    parameters = for_writing(parse_dsn(url)) | {"options": "-c statement_timeout=60000"}
    connection = psycopg2.connect(make_dsn(**parameters))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()
