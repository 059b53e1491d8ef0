"""An account's positions with the last traded prices of their stocks."""

from decimal import Decimal
from typing import cast
from uuid import UUID

from models.database import fetch_one
from models.rows import AccountRow
from trading.rules.valuation import total_unrealized_pnl

# The start of a list of positions; the caller adds its conditions.
POSITIONS = "SELECT position.*, stock.last_price FROM position JOIN stock ON stock.id = position.stock_id"
# One statement, so that the account and its positions are of one moment. JSON keeps the decimals exact.
ACCOUNT_WITH_POSITIONS = """
SELECT account.*, (
    SELECT coalesce(jsonb_agg(jsonb_build_array(position.quantity, position.cost, stock.last_price)), '[]')
    FROM position JOIN stock ON stock.id = position.stock_id
    WHERE position.account_id = account.id AND position.quantity <> 0
) AS positions
FROM account WHERE account.id = %s
"""


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
