"""Detach the oldest month of orders and ledger entries, and keep the sums that the ledger check goes on from."""

import time
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from models.database import db, execute, fetch_all, fetch_one, unbounded
from models.partitions import (
    BEFORE,
    KEYS,
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

LIVE = "SELECT count(*) AS live FROM {orders} WHERE status IN ('PENDING', 'OPEN')"
# The last entry of each account, by the key of the entries: a month has thousands of entries for each account.
LAST_ENTRIES = """
FROM account CROSS JOIN LATERAL (
    SELECT id AS last_id, balance_after, blocked_after FROM {entries} WHERE account_id = account.id
    ORDER BY id DESC LIMIT 1) AS gone
"""
# Each account's entries must be detached from the first one on: a clock that was set back would leave a gap.
OUT_OF_ORDER = f"""
SELECT count(*) AS accounts {LAST_ENTRIES}
WHERE EXISTS (SELECT FROM fund_transaction AS kept WHERE kept.account_id = account.id AND kept.id < gone.last_id
              AND kept.created_at >= %(ended_at)s)
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

    The service may run: only the last step has the tables to itself, for some milliseconds. Raises CannotDetach.
    """
    with unbounded():
        month, ended_at = _oldest()
        tables = [f"{table}_{BEFORE if month is None else month.suffix}" for table in KEYS]
        names = dict(zip(("orders", "entries"), tables, strict=True))
        with db.atomic():
            _check(names, ended_at)
            for statement in (LEDGER, POSITIONS, CLIENT_ORDER_IDS):
                execute(statement.format(**names))
            execute(NOTE, (ended_at, first_order_id(Month.of(ended_at.date()))))
            began = time.monotonic()
            patiently(lambda: _detach(tables))
        locked_s = time.monotonic() - began
        return Detached(month, tuple(tables), sum(map(_bytes, tables)), locked_s)


def _oldest() -> tuple[Month | None, datetime]:
    """Return the oldest month that is attached, None for all before the first one, and its end."""
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
    try:
        alone()
    except NotSplit as error:
        raise CannotDetach(str(error)) from None
    if live := _count(LIVE.format(**names)):
        raise CannotDetach(f"{live} of its orders are PENDING or OPEN")
    if accounts := _count(OUT_OF_ORDER.format(**names), {"ended_at": ended_at}):
        raise CannotDetach(f"{accounts} accounts have entries of it after entries of a later month")


def _detach(tables: list[str]) -> None:
    for table, partition in zip(KEYS, tables, strict=True):
        execute(f"ALTER TABLE {table} DETACH PARTITION {partition}")


def _count(sql: str, parameters: dict[str, Any] | None = None) -> int:
    ((count,),) = [tuple(row.values()) for row in fetch_all(sql, parameters or {})]
    return int(count)


def _bytes(table: str) -> int:
    return _count("SELECT pg_total_relation_size(%(table)s::regclass)", {"table": table})
