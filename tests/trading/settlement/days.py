"""Short functions for tests of the trading day: let days pass, and read the settlement buckets of a position."""

from datetime import date
from typing import Any
from uuid import UUID

from tests.support.trading import Row, one, rows, run

# The columns of a position that hold a day.
DAYS = ("bucket_day", "t1_settles_on", "later_settles_on", "figures_day")


def let_days_pass(count: int = 1) -> None:
    """Move every position's days into the past, as if this number of days had passed since its last change."""
    changes = ", ".join(f"{column} = {column} - {count}" for column in DAYS)
    run(f"UPDATE position SET {changes}")


def today() -> date:
    """Return the day in India by the database's clock."""
    day: date = one("SELECT (market_now() AT TIME ZONE 'Asia/Kolkata')::date")
    return day


def position_of(account_id: UUID, product: str = "DELIVERY") -> Row:
    """Return an account's only position of a product."""
    (row,) = rows("SELECT * FROM position WHERE account_id = %s AND product = %s", account_id, product)
    return row


def buckets_of(row: Row) -> dict[str, Any]:
    """Return the quantities of a position's settlement buckets that are not empty, by their names."""
    names = ("today", "t1", "later", "settled")
    return {name: row[f"{name}_quantity"] for name in names if row[f"{name}_quantity"]}
