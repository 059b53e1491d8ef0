"""Buckets of accounts: each account is in one, and each session is of one or of the tables that all share.

With one bucket (SHARDS=1) all tables are in one schema, and nothing here does anything. With more, each bucket has the
tables of its accounts in a schema of its own. See docs/decisions/buckets.md.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar
from uuid import UUID

Result = TypeVar("Result")

# The schema of the tables that all buckets share.
SHARED_SCHEMA = "public"
# The number of schemas of buckets in a database: that of SHARDS with which it was made, 0 for one with one bucket.
COUNT_SCHEMAS = "SELECT count(*) FROM pg_namespace WHERE nspname ~ '^bucket_[0-9]+$'"

_count = 1
_current: contextvars.ContextVar[int | None] = contextvars.ContextVar("bucket", default=None)
_nothing = contextlib.nullcontext()


def set_count(count: int) -> None:
    """Set the number of buckets of this process's database; models.database calls this."""
    global _count
    _count = count


def are_several() -> bool:
    """Return True if there is more than one bucket."""
    return _count > 1


def shards() -> range:
    """Return the numbers of the buckets."""
    return range(_count)


def shard_of(account_id: UUID) -> int:
    """Return the number of an account's bucket, from bits of its id that are random."""
    return (account_id.int & 0xFFFFFFFF) % _count


def current() -> int | None:
    """Return the bucket of the sessions that open now, None for the shared tables alone or if there is one bucket."""
    return _current.get()


def at(shard: int) -> AbstractContextManager[None]:
    """Let the sessions that open in the block be of a bucket; they find the shared tables too.

    To join a session that is open already and not of this bucket raises RuntimeError.
    """
    return _at(shard) if _count > 1 else _nothing


def of(account_id: UUID) -> AbstractContextManager[None]:
    """Let the sessions that open in the block be of the bucket of an account."""
    return _at(shard_of(account_id)) if _count > 1 else _nothing


def each() -> Iterator[int]:
    """Yield the number of each bucket, each within its own `at`.

    For loops only. The frame of a comprehension keeps its iterator (Python 3.11), so that a failure within one would
    not leave the bucket as long as somebody holds the exception: in_each is for those.
    """
    for shard in shards():
        with at(shard):
            yield shard


def in_each(work: Callable[[], Result]) -> list[Result]:
    """Return the result of a function in each bucket, one after the other."""
    results = list[Result]()
    for shard in shards():
        with at(shard):
            results.append(work())
    return results


def schema_of(shard: int) -> str:
    """Return the schema of a bucket's tables, where there are several."""
    return f"bucket_{shard}"


def path_of(shard: int | None) -> str:
    """Return the search_path of a bucket, or of the shared tables alone."""
    return SHARED_SCHEMA if shard is None else f"{schema_of(shard)},{SHARED_SCHEMA}"


def made_with_other(count: int) -> str:
    """Return the reason not to use a database that was made with another number of buckets."""
    return f"it was made with SHARDS={count}, and SHARDS is {_count}: set SHARDS={count}"


@contextlib.contextmanager
def _at(shard: int) -> Iterator[None]:
    before = _current.set(shard)
    try:
        yield
    finally:
        _current.reset(before)
