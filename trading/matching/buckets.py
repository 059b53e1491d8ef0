"""Advisory locks on buckets of stocks, so that no order opens unseen while a quote is stored.

Whoever changes a quote takes the buckets of its stocks exclusively, and whoever opens an order takes that of its stock
shared: in a statement of its own, because a later statement then reads all that was committed before the lock. They end
with the transaction. docs/decisions/matching.md has the order of all locks.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from models import buckets as account_buckets
from models.database import fetch_all, later

BUCKETS = 256
# Locks of two numbers are apart from those of one number, which is what all other advisory locks of the product are.
BUCKET_LOCKS = 0x6275636B  # "buck" in ASCII
SEQUENCE_LOCKS = 0x73657175  # "sequ" in ASCII

# Only these transactions wait for order rows while others wait for them, so that they wait briefly. Without statistics
# the planner would otherwise read a whole table for a few stocks or orders.
PREPARE = "SET LOCAL lock_timeout = '1s'; SET LOCAL enable_seqscan = off;"
# The function is called in the order of the array.
LOCK = "SELECT {function}(%(space)s, bucket) FROM unnest(%(buckets)s::integer[]) AS bucket"
LOCK_EXCLUSIVE = PREPARE + LOCK.format(function="pg_advisory_xact_lock")
LOCK_SHARED = LOCK.format(function="pg_advisory_xact_lock_shared")
NUMBERS = """
SELECT pg_advisory_xact_lock(%s, %s);
SELECT nextval('match_sequence') AS number FROM generate_series(1, %s)
"""


def bucket_of(stock_id: UUID) -> int:
    """Return the bucket of a stock: the last byte of its id, which is random."""
    return stock_id.bytes[-1]


def lock_exclusive(stock_ids: Iterable[UUID]) -> None:
    """Lock the buckets of stocks against other quotes and against orders that open; wait at most 1 s for each lock.

    It is sent with the transaction's next statement, which sees all that was committed before the locks. The
    transaction's later locks wait at most 1 s too.
    """
    later(LOCK_EXCLUSIVE, lock_parameters(stock_ids))


def lock_shared(stock_ids: Iterable[UUID]) -> None:
    """Lock the buckets of stocks against quotes, as lock_exclusive does it."""
    later(LOCK_SHARED, lock_parameters(stock_ids))


def lock_parameters(stock_ids: Iterable[UUID]) -> dict[str, Any]:
    """Return the parameters of LOCK_EXCLUSIVE and LOCK_SHARED: each bucket once, in the order that all keep."""
    return {"space": BUCKET_LOCKS, "buckets": sorted({bucket_of(stock_id) for stock_id in stock_ids})}


def next_match_numbers(count: int, shard: int | None = None) -> list[int]:
    """Return new numbers of matches in a bucket of accounts, by default in the current one.

    Until its commit the transaction may wait for nothing more but for the numbers of the next buckets. The lock lets
    one transaction at a time take numbers and commit them: otherwise a later number could be seen first.
    """
    number = (account_buckets.current() or 0) if shard is None else shard
    return [row["number"] for row in fetch_all(NUMBERS, (SEQUENCE_LOCKS, number, count))]
