"""An account's positions of the present day, apart from the holdings that were carried into it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from models.database import array_of, fetch_all, snapshot
from trading.accounts.ledgers import first_entry_since
from trading.rules import day_figures, settlement
from trading.rules.day_figures import DayFigures
from trading.rules.day_positions import DayPosition, Prices, day_position
from trading.rules.holdings import CarriedHolding, carried_holding
from trading.rules.money import ZERO
from trading.rules.sessions import at_indian_time
from trading.rules.settlement import Buckets, SettlementDays, last_trading_day
from trading.rules.terms import Product

# Those that are open, and those that had trades since the last trading day, which is less than 30 days ago.
POSITIONS = """
SELECT position.*, last_price, previous_close, instrument_token, isin, today AS read_on
FROM (SELECT (market_now() AT TIME ZONE 'Asia/Kolkata')::date AS today) AS clock
CROSS JOIN position JOIN stock ON stock.id = position.stock_id
WHERE account_id = %s AND (quantity <> 0 OR figures_day > today - 30)
ORDER BY position.id
"""
REALIZED = """
SELECT position_id, sum(CASE kind WHEN 'PROFIT' THEN amount ELSE -amount END) AS amount FROM fund_transaction
WHERE account_id = %s AND id >= %s AND kind IN ('PROFIT', 'LOSS') AND position_id = ANY(%s::uuid[])
GROUP BY position_id
"""


@dataclass(frozen=True, slots=True)
class BookedPosition:
    """A row of POSITIONS with what it is on the present day: a position, and the holding of a DELIVERY, if any."""

    row: dict[str, Any]
    position: DayPosition
    holding: CarriedHolding | None

    @property
    def is_shown(self) -> bool:
        """Return True if it is a position of the day: open, or closed on it."""
        return self.position.quantity != 0 or self.position.has_trades


def read_day_book(account_id: UUID, days: SettlementDays) -> list[BookedPosition]:
    """Return the positions of an account on the present day, the oldest first, the flat ones of the day included."""
    with snapshot():
        return book_of_day(account_id, days)


def book_of_day(account_id: UUID, days: SettlementDays) -> list[BookedPosition]:
    """Return the positions as read_day_book does; needs an open session with one snapshot."""
    rows = fetch_all(POSITIONS, (account_id,))
    figures = [day_figures.rolled(DayFigures.of_row(row, row["read_on"]), row["read_on"], days) for row in rows]
    closed = [row for row, its in zip(rows, figures, strict=True) if _closed_carried(row["quantity"], its)]
    realized = _realized(account_id, closed, days) if closed else {}
    return [_booked(row, its, realized.get(row["id"], ZERO), days) for row, its in zip(rows, figures, strict=True)]


def day_began(account_id: UUID, today: date, days: SettlementDays) -> int:
    """Return the number from which an account's ledger entries are of the last trading day; needs an open session."""
    number = first_entry_since(account_id, at_indian_time(last_trading_day(today, days), time()))
    assert number is not None
    return number


def _closed_carried(quantity: int, figures: DayFigures) -> bool:
    """Return True if a position has closed some of what it carried into the day."""
    overnight = figures.overnight(quantity)
    return bool(figures.sell_quantity if overnight > 0 else figures.buy_quantity if overnight < 0 else 0)


def _realized(account_id: UUID, rows: Sequence[dict[str, Any]], days: SettlementDays) -> dict[UUID, Decimal]:
    """Return the profits of the day of these positions by their ids."""
    since = day_began(account_id, rows[0]["read_on"], days)
    found = fetch_all(REALIZED, (account_id, since, array_of(row["id"] for row in rows)))
    return {row["position_id"]: row["amount"] for row in found}


def _booked(row: dict[str, Any], figures: DayFigures, realized: Decimal, days: SettlementDays) -> BookedPosition:
    prices = Prices(row["last_price"], row["previous_close"])
    product, quantity, cost = row["product"], row["quantity"], row["cost"]
    position = day_position(product, quantity, cost, figures, prices, realized=realized)
    if product != Product.DELIVERY:
        return BookedPosition(row, position, None)
    buckets = settlement.rolled(Buckets.of_row(row, row["read_on"]), row["read_on"], days)
    holding = carried_holding(quantity, cost, figures, buckets, prices, realized=realized)
    return BookedPosition(row, position, holding)
