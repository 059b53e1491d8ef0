"""Positions under their accounts' locks, and the statements that write them set-wise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models.rows import PositionRow
from trading.accounts.ledgers import write_rows
from trading.rules.day_figures import DayFigures
from trading.rules.fills import Holding
from trading.rules.settlement import Buckets
from trading.rules.terms import Product

# Only a DELIVERY has settlement buckets: the statements of the others, which are far more frequent, stay short.
IDENTITY = "id, account_id, stock_id, product, exchange, symbol"
NUMBERS = (
    "quantity, cost, blocked_margin, realized_pnl,"
    " figures_day, day_buy_quantity, day_buy_value, day_sell_quantity, day_sell_value"
)
BUCKETS = "bucket_day, today_quantity, t1_quantity, t1_settles_on, settled_quantity, later_quantity, later_settles_on"
BUCKET_VALUES = "%s, %s, %s, %s::date, %s, %s, %s::date"  # a column of NULLs would be one of texts
Templates = dict[str, str | None]  # by product; None is the usual template of a row
COLUMNS: dict[str, str] = {Product.INTRADAY: NUMBERS, Product.DELIVERY: f"{NUMBERS}, {BUCKETS}"}


def _update(columns: str, more: str = "") -> str:
    changes = ", ".join(f"{column} = changed.{column}" for column in columns.split(", "))
    return (
        f"UPDATE position SET {changes}{more}"
        f" FROM (VALUES %s) AS changed (id, account_id, {columns})"
        " WHERE position.id = changed.id AND (position.account_id = changed.account_id) IS TRUE"
    )


def _template(values: str) -> str:
    """Return the template of a row of a DELIVERY, whose first values are those of these columns."""
    return f"({', '.join(['%s'] * len(values.split(', ')))}, {BUCKET_VALUES})"


INSERTS = {product: f"INSERT INTO position ({IDENTITY}, {columns}) VALUES %s" for product, columns in COLUMNS.items()}
INSERT_TEMPLATES: Templates = {Product.INTRADAY: None, Product.DELIVERY: _template(f"{IDENTITY}, {NUMBERS}")}
UPDATES = {product: _update(columns, ", updated_at = (SELECT statement_now())") for product, columns in COLUMNS.items()}
UPDATE_TEMPLATES: Templates = {Product.INTRADAY: None, Product.DELIVERY: _template(f"id, account_id, {NUMBERS}")}
UPDATE_BUCKETS = _update(BUCKETS)


@dataclass
class LockedPosition:
    """A position while its account is locked; row is that of an existing one.

    The figures of its day and the settlement buckets of a DELIVERY are read from the row when the position changes.
    """

    id: UUID
    holding: Holding
    row: PositionRow | None = None
    figures: DayFigures | None = None
    buckets: Buckets | None = None
    changed: bool = False

    @classmethod
    def of_row(cls, row: PositionRow) -> "LockedPosition":
        """Return the position of a locked row."""
        return cls(row["id"], Holding(row["quantity"], row["cost"], row["blocked_margin"], row["realized_pnl"]), row)

    @property
    def values(self) -> tuple[Any, ...]:
        """Return the values of NUMBERS, and those of BUCKETS if there are any."""
        holding, figures = self.holding, self.figures
        assert figures is not None
        return (
            holding.quantity,
            holding.cost,
            holding.blocked_margin,
            holding.realized_pnl,
            *figures,
            *(() if self.buckets is None else bucket_values(self.buckets)),
        )


def bucket_values(buckets: Buckets) -> tuple[Any, ...]:
    """Return the values of BUCKETS."""
    return (
        buckets.day,
        buckets.today,
        buckets.t1,
        buckets.t1_settles_on,
        buckets.settled,
        buckets.later,
        buckets.later_settles_on,
    )


def insert_positions(rows: Sequence[tuple[Any, ...]], product: str) -> None:
    """Insert positions of a product, given as the values of IDENTITY and those of a LockedPosition."""
    write_rows(INSERTS[product], rows, INSERT_TEMPLATES[product])


def update_positions(positions: Sequence[tuple[UUID, LockedPosition]], product: str) -> None:
    """Write changed positions of a product, given as (account id, position)."""
    rows = [(position.id, account_id, *position.values) for account_id, position in positions]
    write_rows(UPDATES[product], rows, UPDATE_TEMPLATES[product])


def update_buckets(rows: Sequence[tuple[Any, ...]]) -> None:
    """Write the settlement buckets of positions, given as (id, account id, *values of BUCKETS); it makes no event."""
    write_rows(UPDATE_BUCKETS, rows, f"(%s, %s, {BUCKET_VALUES})")
