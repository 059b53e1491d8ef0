"""Detach the oldest month of orders and ledger entries, and keep the sums that the ledger check goes on from."""

import time
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from models import buckets
from models.database import db, execute, fetch_all, fetch_one, session, unbounded
from models.partitions import (
    BEFORE,
    Month,
    NotSplit,
    alone,
    attached,
    first_order_id,
    has_before,
    is_split,
    patiently,
)

# Longer than anything looks back for the present day's figures, settlement and the rules about events (30 days).
KEPT_DAYS = 31
# The names that the statements below have for the partitions of these tables.
TABLES = {"orders": "trading_order", "entries": "fund_transaction"}

LIVE = "SELECT count(*) AS live FROM {orders} WHERE status IN ('PENDING', 'OPEN')"
# The last entry of each account, by the key of the entries: a month has thousands of entries for each account.
LAST_ENTRIES = """
FROM account CROSS JOIN LATERAL (
    SELECT id AS last_id, balance_after, blocked_after FROM {entries} WHERE account_id = account.id
    ORDER BY id DESC LIMIT 1) AS gone
"""
# Each account's entries must be detached from the first one on: a clock that was set back would leave a gap.
OUT_OF_ORDER = f"""
SELECT count(*) AS accounts {LAST_ENTRIES} CROSS JOIN LATERAL (
    SELECT id AS first_id FROM fund_transaction WHERE account_id = account.id AND created_at >= %(ended_at)s
    ORDER BY id LIMIT 1) AS kept
WHERE first_id < last_id
"""
LEDGER = f"""
INSERT INTO ledger_opening (account_id, last_id, balance, blocked)
SELECT account.id, last_id, balance_after, blocked_after {LAST_ENTRIES}
ON CONFLICT (account_id) DO UPDATE
SET last_id = excluded.last_id, balance = excluded.balance, blocked = excluded.blocked
"""
POSITIONS = """
INSERT INTO position_opening AS opening (position_id, account_id, quantity, realized_pnl)
SELECT position_id, account_id, sum(quantity), sum(pnl) FROM (
    SELECT position_id, account_id, CASE side WHEN 'BUY' THEN filled_quantity ELSE -filled_quantity END AS quantity,
        0 AS pnl FROM {orders} WHERE status = 'EXECUTED'
    UNION ALL
    SELECT position_id, account_id, 0, CASE kind WHEN 'PROFIT' THEN amount ELSE -amount END
    FROM {entries} WHERE kind IN ('PROFIT', 'LOSS')) AS gone GROUP BY 1, 2
ON CONFLICT (position_id) DO UPDATE
SET quantity = opening.quantity + excluded.quantity, realized_pnl = opening.realized_pnl + excluded.realized_pnl
"""
CLIENT_ORDER_IDS = """
INSERT INTO taken_client_order_id (account_id, client_order_id, order_id)
SELECT account_id, client_order_id, id FROM {orders} WHERE client_order_id IS NOT NULL
"""
SIZE = "SELECT pg_total_relation_size(%(table)s::regclass)"
NOTE = "INSERT INTO detached_month (ended_at, first_order_id) VALUES (%s, %s)"


class CannotDetach(Exception):
    """A month that cannot be detached now; the message is one line with the reason."""


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

    The service may run: only the last step has the tables to itself, for some milliseconds. Of several buckets of
    accounts all are checked before the first one loses its month. Raises CannotDetach.
    """
    ends = [_oldest() for _ in buckets.each()]
    month, ended_at = min(ends, key=lambda end: end[1])
    shards = [shard for shard, end in zip(buckets.shards(), ends, strict=True) if end[1] == ended_at]
    names = {name: f"{table}_{BEFORE if month is None else month.suffix}" for name, table in TABLES.items()}
    for shard in shards:
        with buckets.at(shard):
            _check(names, ended_at)
    done = [_detach_in(shard, names, ended_at) for shard in shards]
    return Detached(month, tuple(names.values()), sum(size for size, _ in done), max(locked_s for _, locked_s in done))


def _oldest() -> tuple[Month | None, datetime]:
    """Return the oldest month that is attached, None for all before the first one, and its end."""
    with session():
        months = attached() if is_split() else []
        if not months:
            raise CannotDetach("the tables are not split by month")
        oldest = None if has_before() else months[0]
        ended_at = months[0].begins_at if oldest is None else oldest.following.begins_at
        row = fetch_one("SELECT market_now() AS now")
        assert row is not None
    if ended_at > row["now"] - timedelta(days=KEPT_DAYS):
        raise CannotDetach(
            f"the oldest month, {oldest or 'all before the first'}, ended less than {KEPT_DAYS} days ago"
        )
    return oldest, ended_at


def _check(names: dict[str, str], ended_at: datetime) -> None:
    with unbounded():
        if live := _count(LIVE.format(**names)):
            raise CannotDetach(f"{live} of its orders are PENDING or OPEN")
        if accounts := _count(OUT_OF_ORDER.format(**names), {"ended_at": ended_at}):
            raise CannotDetach(f"{accounts} accounts have entries of it after entries of a later month")


def _detach_in(shard: int, names: dict[str, str], ended_at: datetime) -> tuple[int, float]:
    """Detach the month of a bucket; return the size of its tables, and how long nobody else could use the two."""
    with buckets.at(shard), unbounded():
        with db.atomic():
            _be_alone()
            for statement in (LEDGER, POSITIONS, CLIENT_ORDER_IDS):
                execute(statement.format(**names))
            execute(NOTE, (ended_at, first_order_id(Month.of(ended_at.date()))))
            began = time.monotonic()
            patiently(lambda: _detach(names))
        locked_s = time.monotonic() - began
        return sum(_count(SIZE, {"table": name}) for name in names.values()), locked_s


def _be_alone() -> None:
    try:
        alone()
    except NotSplit as error:
        raise CannotDetach(str(error)) from None


def _detach(names: dict[str, str]) -> None:
    for name, table in TABLES.items():
        execute(f"ALTER TABLE {table} DETACH PARTITION {names[name]}")


def _count(sql: str, parameters: dict[str, Any] | None = None) -> int:
    ((count,),) = [tuple(row.values()) for row in fetch_all(sql, parameters or {})]
    return int(count)
