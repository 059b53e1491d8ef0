"""An account's positions of the present day, apart from the holdings that were carried into it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from models.database import fetch_all, snapshot
from trading.accounts.day_moves import converted_since, day_start, first_entry_of_day, realized_since
from trading.rules import day_figures, settlement
from trading.rules.day_figures import DayFigures
from trading.rules.day_positions import DayPosition, Prices, day_position
from trading.rules.holdings import CarriedHolding, carried_holding
from trading.rules.money import ZERO
from trading.rules.settlement import Buckets, SettlementDays
from trading.rules.terms import Product

# Those that are open, and those that had trades since the last trading day, which is less than 30 days ago.
POSITIONS = """
SELECT position.*, last_price, previous_close, instrument_token, isin, today AS read_on
FROM (SELECT (market_now() AT TIME ZONE 'Asia/Kolkata')::date AS today) AS clock
CROSS JOIN position JOIN stock ON stock.id = position.stock_id
WHERE account_id = %s AND (quantity <> 0 OR figures_day > today - 30)
ORDER BY position.id
"""

Pair = tuple[dict[str, Any], DayFigures]  # a row of POSITIONS, and the figures of its day


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
    pairs = list(zip(rows, figures, strict=True))
    realized, converted = _realized(account_id, pairs, days), _converted(account_id, pairs, days)
    return [
        _booked(row, its, days, realized.get(row["id"], ZERO) + converted.get(row["id"], ZERO)) for row, its in pairs
    ]


def _realized(account_id: UUID, pairs: Sequence[Pair], days: SettlementDays) -> Mapping[UUID, Decimal]:
    """Return the profits of the day of the positions that have closed some of what they carried into the day."""
    closed = [row for row, figures in pairs if _has_closed_carried(row, figures)]
    if not closed:
        return {}
    first_entry = first_entry_of_day(account_id, closed[0]["read_on"], days)
    return realized_since(account_id, first_entry, [row["id"] for row in closed])


def _converted(account_id: UUID, pairs: Sequence[Pair], days: SettlementDays) -> Mapping[UUID, Decimal]:
    """Return the costs that conversions have moved, if a position has changed what it carried into the day."""
    for row, figures in pairs:
        if row["figures_day"] == figures.day and figures.overnight(row["quantity"]):
            return converted_since(account_id, day_start(row["read_on"], days))
    return {}


def _has_closed_carried(row: dict[str, Any], figures: DayFigures) -> bool:
    overnight = figures.overnight(row["quantity"])
    return bool(figures.sell_quantity if overnight > 0 else figures.buy_quantity if overnight < 0 else 0)


def _booked(row: dict[str, Any], figures: DayFigures, days: SettlementDays, booked: Decimal) -> BookedPosition:
    prices = Prices(row["last_price"], row["previous_close"])
    product, quantity, cost = row["product"], row["quantity"], row["cost"]
    position = day_position(product, quantity, cost, figures, prices, booked=booked)
    if product != Product.DELIVERY:
        return BookedPosition(row, position, None)
    buckets = settlement.rolled(Buckets.of_row(row, row["read_on"]), row["read_on"], days)
    holding = carried_holding(quantity, cost, figures, buckets, prices, booked=booked)
    return BookedPosition(row, position, holding)
