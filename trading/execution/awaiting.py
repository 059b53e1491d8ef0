"""The wait for one busy account by one worker of the fleet, which holds nothing else meanwhile."""

from typing import NamedTuple
from uuid import UUID

from models import buckets
from models.database import execute, fetch_one

WAIT_LOCK_KEY = 0x77616974  # "wait" in ASCII; plus the number of the bucket of accounts

TRY_TO_WAIT = "SELECT pg_try_advisory_xact_lock(%s) AS may_wait, set_config('lock_timeout', %s, true)"
LOCK_ACCOUNT = "SELECT FROM account WHERE id = %s FOR NO KEY UPDATE"


class AnotherWaits(Exception):
    """Another worker of the fleet already waits for an account."""


class Await(NamedTuple):
    """The account that a transaction waits for, and the limit of the wait (1 ms or more)."""

    account_id: UUID
    limit_ms: int


def wait_for(wait: Await | None) -> None:
    """Lock an account as soon as it is free, while no other lock is held; raises AnotherWaits.

    The transaction's later locks wait at most as long.
    """
    if wait is None:
        return
    row = fetch_one(TRY_TO_WAIT, (WAIT_LOCK_KEY + (buckets.current() or 0), f"{wait.limit_ms}ms"))
    if row is None or not row["may_wait"]:
        raise AnotherWaits
    execute(LOCK_ACCOUNT, (wait.account_id,))
