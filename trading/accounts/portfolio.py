"""An account's positions and holdings with the last traded prices of their stocks."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from models.database import fetch_all, fetch_one, session
from models.rows import AccountRow
from trading.rules import day_figures, settlement
from trading.rules.day_figures import DayFigures, day_pnl
from trading.rules.money import average_price, proportion
from trading.rules.order_margins import Held
from trading.rules.settlement import Buckets, SettlementDays
from trading.rules.terms import Product
from trading.rules.valuation import total_unrealized_pnl, unrealized_pnl

# The start of a list of positions; the caller adds its conditions. A subquery is evaluated once a statement.
POSITIONS = """
SELECT position.*, last_price, previous_close, (SELECT (market_now() AT TIME ZONE 'Asia/Kolkata')::date) AS read_on
FROM position JOIN stock ON stock.id = position.stock_id
"""
# The start of a list of holdings, with the calendar as its parameter, and their condition, with the product as its
# parameter: what was held before the present trading day's trades. That day is the last one with a session.
HOLDINGS = """
SELECT position.*, last_price, previous_close, today AS read_on
FROM (SELECT today, coalesce((SELECT max(day) FROM trading_session WHERE calendar = %s AND day <= today
                              AND day > today - 30), today) AS trading_day
      FROM (SELECT (market_now() AT TIME ZONE 'Asia/Kolkata')::date AS today) AS clock) AS market
CROSS JOIN position JOIN stock ON stock.id = position.stock_id
"""
IS_HOLDING = """
position.product = %s AND (
    position.quantity > CASE WHEN bucket_day >= trading_day THEN today_quantity ELSE 0 END
    OR figures_day >= trading_day AND position.quantity - day_buy_quantity + day_sell_quantity > 0)
"""
QUANTITIES = "SELECT exchange, symbol, product, quantity FROM position WHERE account_id = %s AND quantity <> 0"
# One statement, so that the account and its positions are of one moment. JSON keeps the decimals exact.
ACCOUNT_WITH_POSITIONS = """
SELECT account.*, (
    SELECT coalesce(jsonb_agg(jsonb_build_array(position.quantity, position.cost, stock.last_price)), '[]')
    FROM position JOIN stock ON stock.id = position.stock_id
    WHERE position.account_id = account.id AND position.quantity <> 0
) AS positions
FROM account WHERE account.id = %s
"""


@dataclass(frozen=True, slots=True)
class PositionFilter:
    """The filters of positions, each None for all positions; is_open selects those with a quantity, or flat ones."""

    exchange: str | None = None
    symbol: str | None = None
    product: str | None = None
    is_open: bool | None = None

    def conditions(self, account_id: UUID) -> Mapping[str, Any]:
        """Return the conditions on POSITIONS with their parameters; those whose parameter is None are left out."""
        return {
            "position.account_id = %s": account_id,
            "position.exchange = %s": self.exchange,
            "position.symbol = %s": self.symbol,
            "position.product = %s": self.product,
            "(position.quantity <> 0) = %s": self.is_open,
        }


class ValuedAccount(AccountRow):
    """An account's row with its unrealised profit in rupees, without the positions that have no price."""

    unrealized_pnl: Decimal


def find_valued_account(account_id: UUID) -> ValuedAccount | None:
    """Return an account with its unrealised profit, or None; needs an open session."""
    row = fetch_one(ACCOUNT_WITH_POSITIONS, (account_id,))
    if row is None:
        return None
    row["unrealized_pnl"] = total_unrealized_pnl(row.pop("positions"))
    return cast(ValuedAccount, row)


def find_position(account_id: UUID, position_id: UUID) -> dict[str, Any] | None:
    """Return a row of POSITIONS, or None; needs an open session."""
    return fetch_one(f"{POSITIONS} WHERE position.id = %s AND position.account_id = %s", (position_id, account_id))


def list_position_ids(account_id: UUID, wanted: PositionFilter, limit: int | None = None) -> list[UUID]:
    """Return the ids of an account's positions that pass a filter, the oldest first; needs an open session."""
    conditions = {name: value for name, value in wanted.conditions(account_id).items() if value is not None}
    sql = f"SELECT id FROM position WHERE {' AND '.join(conditions)} ORDER BY id LIMIT %s"
    return [row["id"] for row in fetch_all(sql, [*conditions.values(), limit])]


def open_quantities(account_id: UUID) -> dict[Held, int]:
    """Return the signed quantities of an account's open positions by stock and product."""
    with session():
        rows = fetch_all(QUANTITIES, (account_id,))
    return {Held(row["exchange"], row["symbol"], row["product"]): row["quantity"] for row in rows}


def value_position(row: dict[str, Any], days: SettlementDays) -> None:
    """Add to a row of POSITIONS its average price, its unrealised profit and the figures of the day."""
    figures = day_figures.rolled(DayFigures.of_row(row, row["read_on"]), row["read_on"], days)
    prices = {"last_price": row["last_price"], "previous_close": row["previous_close"]}
    row |= {
        "average_price": average_price(row["cost"], row["quantity"]),
        "unrealized_pnl": unrealized_pnl(row["quantity"], row["cost"], row["last_price"]),
        "overnight_quantity": figures.overnight(row["quantity"]),
        "day_buy_quantity": figures.buy_quantity,
        "day_buy_value": figures.buy_value,
        "day_sell_quantity": figures.sell_quantity,
        "day_sell_value": figures.sell_value,
        "day_pnl": day_pnl(figures, row["quantity"], **prices),
    }


def value_holding(row: dict[str, Any], days: SettlementDays) -> None:
    """Make a row of HOLDINGS a holding: the part of a DELIVERY position that was bought on earlier days."""
    assert row["product"] == Product.DELIVERY
    figures = day_figures.rolled(DayFigures.of_row(row, row["read_on"]), row["read_on"], days)
    buckets = settlement.rolled(Buckets.of_row(row, row["read_on"]), row["read_on"], days)
    last_price, previous_close = row["last_price"], row["previous_close"]
    cost = proportion(row["cost"], buckets.earlier, row["quantity"]) if row["quantity"] else row["cost"]
    row |= {
        "average_price": average_price(row["cost"], row["quantity"]),
        "sold_today": figures.overnight(row["quantity"]) - buckets.earlier,
        "quantity": buckets.earlier,
        "settled_quantity": buckets.settled,
        "t1_quantity": buckets.unsettled,
        "day_change": None if last_price is None or previous_close is None else last_price - previous_close,
        "unrealized_pnl": unrealized_pnl(buckets.earlier, cost, last_price),
    }
