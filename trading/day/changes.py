"""The changes of positions that no order makes: each is a row, which joins the sum of the position's fills."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from models.database import fetch_one
from models.rows import PositionChangeRow
from trading.accounts.ledgers import write_rows
from trading.rules.terms import PositionChangeKind

COLUMNS = "account_id, from_position, to_position, quantity, cost, kind"
CONVERTED = f"""
INSERT INTO position_change ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, '{PositionChangeKind.CONVERSION}') RETURNING *
"""
WRITTEN_OFF = f"INSERT INTO position_change ({COLUMNS}) VALUES %s"
WRITTEN_OFF_ROW = f"(%s, %s, NULL, %s, %s, '{PositionChangeKind.RESET}')"


def note_conversion(
    account_id: UUID, source_id: UUID, target_id: UUID, quantity: int, cost: Decimal
) -> PositionChangeRow:
    """Write that a quantity and its cost have moved from one position to another."""
    change = fetch_one(CONVERTED, (account_id, source_id, target_id, quantity, cost), PositionChangeRow)
    assert change is not None
    return change


def note_write_offs(rows: Sequence[tuple[UUID, UUID, int, Decimal]]) -> None:
    """Write that positions were written off, given as (account id, position id, signed quantity, cost)."""
    write_rows(WRITTEN_OFF, rows, WRITTEN_OFF_ROW)
