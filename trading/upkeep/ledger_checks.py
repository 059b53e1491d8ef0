"""The outcomes of the periodic check of the ledger."""

from datetime import datetime
from typing import TypedDict

from models.database import execute, fetch_one, transactional


class LedgerCheck(TypedDict):
    """The outcome of one check: its end, the number of violations and the duration."""

    at: datetime
    violations: int
    duration_ms: int


@transactional
def note_check(violations: int, duration_ms: int) -> None:
    """Store the outcome of a check that has just ended."""
    execute("INSERT INTO ledger_check (violations, duration_ms) VALUES (%s, %s)", (violations, duration_ms))


def last_check() -> LedgerCheck | None:
    """Return the outcome of the last check, or None; needs an open session."""
    return fetch_one("SELECT at, violations, duration_ms FROM ledger_check ORDER BY id DESC LIMIT 1", (), LedgerCheck)
