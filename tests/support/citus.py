"""Databases on a coordinator of Citus and its workers, for the tests with several buckets."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg2

from embedded.postgres import create_database
from models.connections import deadline_s
from tests.support.processes import ROOT
from tests.support.servers import SHARDS, administer

# The URL of a database with the extension, on a coordinator that has workers; the tests make others beside it.
URL = os.environ.get("CITUS_URL")
# With SHARDS above 1 as well, the whole run is on Citus: SHARDS=4 CITUS_URL=… pytest tests/acceptance
IS_USED = URL is not None and SHARDS > 1
# Where the locks of the run's database stand, those of its workers included.
LOCKS = "citus_locks" if IS_USED else "pg_locks"
SKIPPED = "CITUS_URL names no coordinator of Citus"
NODES = "SELECT nodename, nodeport, groupid FROM pg_dist_node WHERE noderole = 'primary' ORDER BY groupid"
DISTRIBUTION = ROOT / "data/citus.sql"


@contextlib.contextmanager
def database(name: str) -> Iterator[str]:
    """Create a database on all nodes that the coordinator of CITUS_URL knows, yield its URL, and drop it."""
    try:
        yield _make(name)
    finally:
        _drop(name)


def _make(name: str) -> str:
    nodes = list(_nodes())
    made = _beside(nodes[0][0], name)
    with _unhurried():
        for url, _, _ in nodes:
            create_database(url, name)
            administer(url, f'ALTER DATABASE "{name}" SET citus.enable_unsafe_triggers = on')
            administer(_beside(url, name), "CREATE EXTENSION IF NOT EXISTS citus")
        for _, place, group in nodes:
            join = "citus_set_coordinator_host" if group == 0 else "citus_add_node"
            administer(made, f"SELECT {join}({place})")
    return made


def distribute(url: str) -> None:
    """Distribute the buckets of a migrated database over the workers, as an operator does."""
    with _unhurried():
        for statement in DISTRIBUTION.read_text().split(";\n\n"):
            administer(url, statement)


def _drop(name: str) -> None:
    with _unhurried():
        for url, _, _ in reversed(list(_nodes())):
            administer(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def without_triggers(url: str, statements: str, *parameters: Any) -> None:
    """Run statements with all triggers switched off, by a setting that travels to the workers, if there are any."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL citus.propagate_set_commands = 'local'")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statements, parameters or None)
    connection.close()


def _beside(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl().replace(":///", "://", 1)


@contextlib.contextmanager
def _unhurried() -> Iterator[None]:
    limit = deadline_s.set(None)
    try:
        yield
    finally:
        deadline_s.reset(limit)


def _nodes() -> Iterator[tuple[str, str, int]]:
    """Yield each node's URL, its place as arguments of a function, and its group, which is 0 for the coordinator."""
    assert URL is not None
    connection = psycopg2.connect(URL)
    with connection.cursor() as cursor:
        cursor.execute(NODES)
        rows = cursor.fetchall()
    connection.close()
    parts = urlsplit(URL)
    user, at, _ = parts.netloc.rpartition("@")
    for host, port, group in rows:
        netloc = parts.netloc if group == 0 else f"{user}{at}{quote(host)}:{port}"
        yield parts._replace(netloc=netloc).geturl(), f"'{host}', {port}", group
