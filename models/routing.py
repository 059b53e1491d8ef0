"""The way to the bucket of an account, and to all buckets: for functions that open sessions of their own."""

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Concatenate, ParamSpec, TypeVar
from uuid import UUID

from models import buckets
from models.database import db, session, snapshot

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def by_account(
    function: Callable[Concatenate[UUID, Parameters], Result],
) -> Callable[Concatenate[UUID, Parameters], Result]:
    """Run a function in the bucket of the account that is its first argument."""

    @functools.wraps(function)
    def run(account_id: UUID, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with buckets.of(account_id):
            return function(account_id, *args, **kwargs)

    return run


def each_of(account_ids: Iterable[UUID]) -> Iterator[list[UUID]]:
    """Yield the accounts of each bucket that has some of them, each list within its own bucket; for loops only."""
    of_shard = defaultdict[int, list[UUID]](list)
    for account_id in account_ids:
        of_shard[buckets.shard_of(account_id)].append(account_id)
    for shard, owners in of_shard.items():
        with buckets.at(shard):
            yield owners


def session_of_all() -> AbstractContextManager[None]:
    """Open a session for statements on each bucket (models.spanning), which read one moment if there are several."""
    return snapshot() if buckets.are_several() and not db.in_transaction() else session()
