"""The profits that positions have realised on the present day, and the costs that conversions have moved."""

from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID

from models.database import array_of, fetch_all
from trading.accounts.ledgers import first_entry_since
from trading.rules.sessions import at_indian_time
from trading.rules.settlement import SettlementDays, last_trading_day

REALIZED = """
SELECT position_id AS id, sum(CASE kind WHEN 'PROFIT' THEN amount ELSE -amount END) AS amount FROM fund_transaction
WHERE account_id = %s AND id >= %s AND kind IN ('PROFIT', 'LOSS') AND position_id = ANY(%s::uuid[])
GROUP BY position_id
"""
# A conversion moves cost at the average of the position and purchases of the day at their own average. The difference
# of both is found from what the day's fills alone have bought. Shares that were carried into the day and converted are
# no purchases; then the quantities differ, and nothing is found.
CONVERTED = """
WITH change AS (
    SELECT to_position AS id, quantity, cost FROM position_change
    WHERE account_id = %(account)s AND changed_at >= %(since)s AND kind = 'CONVERSION'
    UNION ALL
    SELECT from_position, -quantity, -cost FROM position_change
    WHERE account_id = %(account)s AND changed_at >= %(since)s AND kind = 'CONVERSION')
SELECT position.id, moved.cost + bought.value - day_buy_value AS amount
FROM (SELECT id, sum(quantity) AS quantity, sum(cost) AS cost FROM change GROUP BY id) AS moved
JOIN position ON position.id = moved.id AND (position.account_id = %(account)s) IS TRUE
CROSS JOIN LATERAL (
    SELECT coalesce(sum(filled_quantity), 0) AS quantity, coalesce(sum(filled_quantity * average_price), 0) AS value
    FROM trading_order
    WHERE account_id = %(account)s AND status = 'EXECUTED' AND executed_at >= %(since)s
        AND position_id = position.id AND side = 'BUY') AS bought
WHERE moved.quantity + bought.quantity = day_buy_quantity
"""


def day_start(today: date, days: SettlementDays) -> datetime:
    """Return the time at which the last trading day began."""
    return at_indian_time(last_trading_day(today, days), time())


def first_entry_of_day(account_id: UUID, today: date, days: SettlementDays) -> int:
    """Return the number from which an account's ledger entries are of the last trading day; needs an open session."""
    number = first_entry_since(account_id, day_start(today, days))
    assert number is not None
    return number


def realized_since(account_id: UUID, first_entry: int, positions: Iterable[UUID]) -> dict[UUID, Decimal]:
    """Return the profits in rupees of positions by their ids; needs an open session."""
    rows = fetch_all(REALIZED, (account_id, first_entry, array_of(positions)))
    return {row["id"]: row["amount"] for row in rows}


def converted_since(account_id: UUID, since: datetime) -> dict[UUID, Decimal]:
    """Return the cost in rupees that conversions have moved to positions beyond the value of purchases.

    Needs an open session.
    """
    rows = fetch_all(CONVERTED, {"account": account_id, "since": since})
    return {row["id"]: row["amount"] for row in rows}
