"""The ledgers of accounts: locked, and written set-wise, in the caller's transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from models.database import fetch_all, fetch_one, later
from models.rows import LedgerRow
from trading.rules.ledger import AccountLedger

# The start of a list of entries of the fund ledger; the caller adds its conditions.
ENTRIES = "SELECT * FROM fund_transaction"
# The numbers of an account's entries grow with their times, so that no index on the times is needed. All entries before
# `low` are older, and none from `high` on is; each step halves the numbers between them.
FIRST_SINCE = """
WITH RECURSIVE search (low, high) AS (
    SELECT 0::bigint, coalesce(max(id), 0) + 1 FROM fund_transaction WHERE account_id = %(account_id)s
    UNION ALL
    SELECT CASE WHEN entry.created_at < %(since)s THEN entry.id + 1 ELSE low END,
        CASE WHEN entry.created_at < %(since)s THEN high ELSE (low + high) / 2 END
    FROM search LEFT JOIN LATERAL (
        SELECT id, created_at FROM fund_transaction
        WHERE account_id = %(account_id)s AND id >= (low + high) / 2 ORDER BY id LIMIT 1) AS entry ON true
    WHERE low < high)
SELECT high FROM search WHERE low >= high
"""
LEDGERS = "SELECT id AS account_id, status, balance, blocked_margin, realized_pnl, last_entry_id FROM account"


def lock_ledgers(account_ids: Iterable[UUID]) -> dict[UUID, AccountLedger]:
    """Lock accounts in id order, wait for those in use, and return a ledger for each that exists."""
    return _ledgers(account_ids, "FOR NO KEY UPDATE")


def lock_free_ledgers(account_ids: Iterable[UUID]) -> dict[UUID, AccountLedger]:
    """Lock the accounts that no other transaction has locked, and return a ledger for each."""
    return _ledgers(account_ids, "FOR NO KEY UPDATE SKIP LOCKED")


def _ledgers(account_ids: Iterable[UUID], lock: str) -> dict[UUID, AccountLedger]:
    rows = fetch_all(f"{LEDGERS} WHERE id = ANY(%s::uuid[]) ORDER BY id {lock}", (sorted(set(account_ids)),))
    return {row["account_id"]: AccountLedger(**row) for row in rows}


def save_ledgers(ledgers: Iterable[AccountLedger]) -> None:
    """Write the accounts that have new entries, and these entries in the order of their posting."""
    changed = [ledger for ledger in ledgers if ledger.entries]
    write_rows(
        "UPDATE account SET balance = changed.balance, blocked_margin = changed.blocked_margin,"
        " realized_pnl = changed.realized_pnl, last_entry_id = changed.last_entry_id"
        " FROM (VALUES %s) AS changed (id, balance, blocked_margin, realized_pnl, last_entry_id)"
        " WHERE account.id = changed.id",
        [
            (ledger.account_id, ledger.balance, ledger.blocked_margin, ledger.realized_pnl, ledger.last_entry_id)
            for ledger in changed
        ],
    )
    write_rows(
        "INSERT INTO fund_transaction"
        " (account_id, id, kind, amount, balance_after, blocked_after, order_id, position_id) VALUES %s",
        [entry for ledger in changed for entry in ledger.entries],
    )


def newest_entry(account_id: UUID) -> LedgerRow | None:
    """Return the last entry of an account's ledger, or None; needs an open session."""
    return fetch_one(f"{ENTRIES} WHERE account_id = %s ORDER BY id DESC LIMIT 1", (account_id,), LedgerRow)


def first_entry_since(account_id: UUID, since: datetime | None) -> int | None:
    """Return the number from which an account's entries are of this time or later; None without a time.

    Needs an open session.
    """
    if since is None:
        return None
    row = fetch_one(FIRST_SINCE, {"account_id": account_id, "since": since})
    assert row is not None
    return int(row["high"])


def write_rows(sql: str, rows: Sequence[tuple[Any, ...]], template: str | None = None) -> None:
    """Run a statement with a list of rows in place of its `VALUES %s`; run nothing if the list is empty.

    The statement waits for the transaction's next one, or for its commit: see models.database.later.
    """
    if rows:
        template = template or f"({', '.join(['%s'] * len(rows[0]))})"
        values = ", ".join([template] * len(rows))
        later(sql.replace("VALUES %s", f"VALUES {values}"), [value for row in rows for value in row])
