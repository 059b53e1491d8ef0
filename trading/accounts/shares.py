"""Let the requests of one account hold only a share of a process's database connections.

They take turns at the account's row anyway. While somebody holds that row for long, the requests beyond the share
wait without a connection, and all others find one.
"""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar
from uuid import UUID

from models.database import POOL_TIMEOUT_S, DatabaseUnavailable, db
from models.slots import Slots
from runtime import metrics

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# A quarter: one request has the account and the next ones stand in its queue, so that more would not be faster,
# and up to three accounts can be held at once while others still find a connection.
PARTS = 4


@dataclass
class Share:
    """The connections that an account may have, and how many requests have or want one."""

    slots: Slots
    users: int = 0


_shares: dict[UUID, Share] = {}
_lock = threading.Lock()


def within_share(
    function: Callable[Concatenate[UUID, Parameters], Result],
) -> Callable[Concatenate[UUID, Parameters], Result]:
    """Run a function that locks the account it names first within the account's share; raises DatabaseUnavailable."""

    @functools.wraps(function)
    def run(account_id: UUID, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with _share_of(account_id) as slots:
            if not slots.acquire(POOL_TIMEOUT_S):
                raise DatabaseUnavailable("the account's other requests have all the connections that it may have")
            try:
                return function(account_id, *args, **kwargs)
            finally:
                slots.release()

    return run


@contextmanager
def _share_of(account_id: UUID) -> Iterator[Slots]:
    """Give the account's slots, and forget them when nobody needs them any more."""
    with _lock:
        share = _shares.get(account_id) or _shares.setdefault(
            account_id, Share(Slots(max(1, db.pool.allowed // PARTS)))
        )
        share.users += 1
    try:
        yield share.slots
    finally:
        with _lock:
            share.users -= 1
            if not share.users:
                del _shares[account_id]
        if waits := share.slots.take_waits():
            metrics.of(metrics.POOL_WAITS, "account").inc(waits)
