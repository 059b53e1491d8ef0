"""How the database answers the product's own statements: recorded as they are sent, then explained."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg2.extensions

from models.database import db, fetch_all, session

EXPLAINED = ("SELECT", "WITH", "UPDATE", "DELETE")


@dataclass(frozen=True)
class Plan:
    """A statement's plan as it was carried out: indexes used, tables read whole, pages touched, milliseconds."""

    statement: str
    indexes: frozenset[str]
    read_whole: frozenset[str]
    pages: int
    milliseconds: float


@contextlib.contextmanager
def recorded() -> Iterator[list[bytes]]:
    """Collect what is sent on this thread's connection while the block runs."""
    statements: list[bytes] = []

    class Recorder(psycopg2.extensions.cursor):
        def execute(self, query: Any, parameters: Any = None) -> None:
            super().execute(query, parameters)
            statements.append(self.query)

    with session():
        connection = db.connection()
        connection.cursor_factory = Recorder
        try:
            yield statements
        finally:
            connection.cursor_factory = None


def explain(statement: bytes) -> Plan:
    """Carry a statement out, take it back, and return its plan."""
    text = " ".join(statement.decode().split())
    with session(), db.atomic() as transaction:
        (row,) = fetch_all(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}".replace("%", "%%"))
        transaction.rollback()
    (explained,) = row["QUERY PLAN"]
    top = explained["Plan"]
    nodes = list(_nodes(top))
    return Plan(
        text,
        frozenset(node["Index Name"] for node in nodes if "Index Name" in node),
        frozenset(node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"),
        top["Shared Hit Blocks"] + top["Shared Read Blocks"],
        explained["Execution Time"],
    )


def explain_all(statements: list[bytes]) -> list[Plan]:
    """Explain each statement that reads or changes rows."""
    return [explain(statement) for statement in statements if statement.lstrip().upper().startswith(EXPLAINED_BYTES)]


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


EXPLAINED_BYTES = tuple(word.encode() for word in EXPLAINED)
