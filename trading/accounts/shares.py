"""The share of a process's database connections that the requests of one account may hold.

These requests take turns at the account's row anyway. While a transaction holds that row for long, the requests beyond
the share wait without a connection, and the requests of other accounts find one.
"""

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar
from uuid import UUID

from models.database import DatabaseUnavailable, db
from models.pooled_database import POOL_TIMEOUT_S
from models.routing import by_account
from models.slots import Slots
from runtime import metrics

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# A quarter: one request has the account's row and the next ones queue for it, so a larger share would not be faster.
# While up to three accounts are held, other accounts still find a connection.
PARTS = 4


@dataclass(slots=True)
class Share:
    """The connections that an account may hold, and the number of requests that hold or await one."""

    slots: Slots
    users: int = 0


_shares: dict[UUID, Share] = {}
_lock = threading.Lock()


def within_share(
    function: Callable[Concatenate[UUID, Parameters], Result],
) -> Callable[Concatenate[UUID, Parameters], Result]:
    """Run a function in the bucket and within the share of the account that is its first argument.

    Raises DatabaseUnavailable if the share has no free connection in time.
    """

    @by_account
    @functools.wraps(function)
    def run(account_id: UUID, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        share = _join(account_id)
        try:
            if not share.slots.acquire(POOL_TIMEOUT_S):
                raise DatabaseUnavailable("other requests of the account hold all of its share of the connections")
            try:
                return function(account_id, *args, **kwargs)
            finally:
                share.slots.release()
        finally:
            _leave(account_id, share)

    return run


def _join(account_id: UUID) -> Share:
    with _lock:
        share = _shares.get(account_id)
        if share is None:
            share = _shares[account_id] = Share(Slots(max(1, db.pool.size // PARTS)))
        share.users += 1
        return share


def _leave(account_id: UUID, share: Share) -> None:
    """Leave a share, and delete it after its last use."""
    with _lock:
        share.users -= 1
        if not share.users:
            del _shares[account_id]
    if waits := share.slots.take_waits():
        metrics.of(metrics.POOL_WAITS, "account").inc(waits)
