"""Detach the oldest month of orders and ledger entries, and keep the sums that the ledger check goes on from."""

import time
from typing import NamedTuple

from models import buckets
from models.database import db, execute, fetch_all, session, session_with_deadline, unbounded
from models.partitions import Month, first_order_id, patiently
from trading.upkeep.gathering import (
    KEPT_DAYS,
    LAST_ENTRIES,
    CannotDetach,
    Ended,
    attached_ends,
    be_alone,
    gather,
    is_over,
)

LEDGER = f"""
INSERT INTO ledger_opening (account_id, last_id, balance, blocked)
SELECT account.id, last_id, balance_after, blocked_after {LAST_ENTRIES}
ON CONFLICT (account_id) DO UPDATE
SET last_id = excluded.last_id, balance = excluded.balance, blocked = excluded.blocked
"""
POSITIONS = """
WITH gone AS (DELETE FROM gathered_position WHERE ended_at = %(ended_at)s RETURNING *)
INSERT INTO position_opening AS opening (position_id, account_id, quantity, realized_pnl)
SELECT position_id, account_id, quantity, realized_pnl FROM gone
ON CONFLICT (position_id) DO UPDATE
SET quantity = opening.quantity + excluded.quantity, realized_pnl = opening.realized_pnl + excluded.realized_pnl
"""
FORGET = "DELETE FROM gathered_month WHERE ended_at = %(ended_at)s"
NOTE = "INSERT INTO detached_month (ended_at, first_order_id) VALUES (%(ended_at)s, %(first_order_id)s)"
DETACH = (
    "ALTER TABLE trading_order DETACH PARTITION {orders}",
    "ALTER TABLE fund_transaction DETACH PARTITION {entries}",
)
SIZE = "SELECT pg_total_relation_size(%s::regclass) AS bytes"


class Detached(NamedTuple):
    """The month, None for all before the first one, and the tables that hold its rows now, with their size.

    `locked_s` is how long nobody else could use the tables of orders and entries.
    """

    month: Month | None
    tables: tuple[str, ...]
    bytes: int
    locked_s: float


def detach_oldest() -> Detached:
    """Detach the oldest month that is attached; its rows stay in two tables that the service does not read.

    The service may run: only the last step has the tables to itself, for some milliseconds. Sums that no worker has
    gathered yet are gathered first. Of several buckets of accounts all are checked before the first one loses its
    month. Raises CannotDetach.
    """
    ends = buckets.in_each(_oldest)
    oldest = min(ends, key=lambda ended: ended.at)
    shards = [shard for shard, ended in zip(buckets.shards(), ends, strict=True) if ended.at == oldest.at]
    for shard in shards:
        with buckets.at(shard), session_with_deadline():
            gather(oldest)
    done = [_detach_in(shard, oldest) for shard in shards]
    sizes, times = zip(*done, strict=True)
    return Detached(oldest.month, tuple(oldest.tables.values()), sum(sizes), max(times))


def _oldest() -> Ended:
    with session():
        ends = attached_ends()
        if not ends:
            raise CannotDetach("the tables are not split by month")
        if not is_over(ends[0]):
            raise CannotDetach(f"the oldest month, {ends[0]}, ended less than {KEPT_DAYS} days ago")
    return ends[0]


def _detach_in(shard: int, ended: Ended) -> tuple[int, float]:
    """Detach the month of a bucket; return the bytes of its tables, and the seconds for which they were locked."""
    facts = {"ended_at": ended.at, "first_order_id": first_order_id(Month.of(ended.at.date()))}
    with buckets.at(shard), unbounded():
        with db.atomic():
            be_alone(ended)
            for statement in (LEDGER.format(**ended.tables), POSITIONS, FORGET, NOTE):
                execute(statement, facts)
            began = time.monotonic()
            patiently(lambda: _detach(ended))
        locked_s = time.monotonic() - began
        return sum(_size(table) for table in ended.tables.values()), locked_s


def _detach(ended: Ended) -> None:
    for statement in DETACH:
        execute(statement.format(**ended.tables))


def _size(table: str) -> int:
    return int(fetch_all(SIZE, (table,))[0]["bytes"])
