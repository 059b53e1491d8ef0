"""The locks of a transaction, as another session sees them after each of its statements."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from models import database
from tests.matching_stress.connection import Link
from trading.matching.buckets import BUCKET_LOCKS, SEQUENCE_LOCKS

# The rows that no other session could lock now are locked by the transaction under watch.
FREE = "SELECT id FROM {table} FOR NO KEY UPDATE SKIP LOCKED"
KNOWN = "SELECT id FROM {table}"
ROWS = {"account": "account", "stock": "stock", "trading_order": "order", "position": "position"}
ADVISORY = f"""
SELECT CASE classid::bigint WHEN {BUCKET_LOCKS} THEN 'bucket' WHEN {SEQUENCE_LOCKS} THEN 'sequence' END AS kind
FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
"""
# A statement that skips or refuses busy rows waits for none of them.
NEVER_WAITS = re.compile(r"SKIP LOCKED|NOWAIT|pg_try_advisory", re.IGNORECASE)


@dataclass
class Transaction:
    """The kinds of locks of one transaction in the order in which it took them, each with True if it may wait."""

    steps: list[tuple[str, bool]] = field(default_factory=list)

    def __str__(self) -> str:
        return ", ".join(f"{kind}{'' if waits else ' skip'}" for kind, waits in self.steps)

    @property
    def waits(self) -> list[tuple[str, str]]:
        """Return (held, wanted) for each kind that it may wait for while it holds another."""
        return [
            (held, wanted)
            for index, (wanted, may_wait) in enumerate(self.steps)
            if may_wait
            for held, _ in self.steps[:index]
        ]


@contextmanager
def recorded(url: str) -> Iterator[list[Transaction]]:
    """Record the locks of this process's transactions while the block runs, one thread at a time."""
    transactions: list[Transaction] = []
    link = Link(url)
    usual = database.db.execute_sql

    def execute_sql(sql: str, parameters: Any = None) -> Any:
        waiting = [text for text in database.db.held.waiting if text != database.BEGIN]
        database.db.held.waiting = [text for text in database.db.held.waiting if text == database.BEGIN]
        for text in waiting:  # one by one, so that each one's locks are seen
            usual(text)
            _look(link, transactions, text.decode())
        cursor = usual(sql, parameters)
        if database.db.in_transaction():
            _look(link, transactions, sql)
        return cursor

    usual_begin = database.db.begin

    def begin(*arguments: Any, **options: Any) -> Any:
        transactions.append(Transaction())
        return usual_begin(*arguments, **options)

    with mock.patch.object(database.db, "execute_sql", execute_sql), mock.patch.object(database.db, "begin", begin):
        try:
            yield transactions
        finally:
            link.close()


def _look(link: Link, transactions: list[Transaction], sql: str) -> None:
    if not transactions:
        transactions.append(Transaction())
    steps = transactions[-1].steps
    held = {row["kind"] for row in link.rows(ADVISORY) if row["kind"]}
    for table, kind in ROWS.items():
        free = {row["id"] for row in link.rows(FREE.format(table=table))}
        if {row["id"] for row in link.rows(KNOWN.format(table=table))} - free:
            held.add(kind)
    order = ("account", "bucket", "stock", "order", "sequence", "position")
    for kind in order:
        if kind in held and kind not in {known for known, _ in steps}:
            steps.append((kind, not NEVER_WAITS.search(sql)))
