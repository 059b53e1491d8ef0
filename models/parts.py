"""The parts of the tables: those that all buckets of accounts share, and those of a bucket.

A migration after 0023 runs once in each schema. It says of each statement to which part it belongs.
"""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from models import buckets
from models.database import SqlParameters, execute


class Part(NamedTuple):
    """A schema that is migrated: the number of its bucket, if it is one, and the tables that it has."""

    shard: int | None
    has_shared: bool
    has_accounts: bool


WHOLE = Part(None, has_shared=True, has_accounts=True)
_migrated = WHOLE


def all_parts() -> list[Part]:
    """Return the schemas to migrate, the shared one first, because the buckets refer to it."""
    if not buckets.are_several():
        return [WHOLE]
    of_buckets = [Part(shard, has_shared=False, has_accounts=True) for shard in buckets.shards()]
    return [Part(None, has_shared=True, has_accounts=False), *of_buckets]


@contextlib.contextmanager
def migrating(part: Part) -> Iterator[None]:
    """Let the migrations of the block know the schema that they run in."""
    global _migrated
    _migrated = part
    try:
        yield
    finally:
        _migrated = WHOLE


def migrated() -> Part:
    """Return the schema that is migrated."""
    return _migrated


def execute_in_shared(sql: str, parameters: SqlParameters = ()) -> None:
    """Run a statement on tables that all buckets share, where they are."""
    if _migrated.has_shared:
        execute(sql, parameters)


def execute_in_buckets(sql: str, parameters: SqlParameters = ()) -> None:
    """Run a statement on tables of accounts, in each schema that has them."""
    if _migrated.has_accounts:
        execute(sql, parameters)
