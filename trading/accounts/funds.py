"""The money of an account on the present day."""

from decimal import Decimal
from uuid import UUID

from models.database import fetch_one, snapshot
from trading.accounts.day_book import BookedPosition, book_of_day
from trading.accounts.day_moves import first_entry_of_day
from trading.rules.errors import NotFound
from trading.rules.funds import Funds
from trading.rules.money import ZERO
from trading.rules.settlement import SettlementDays
from trading.rules.terms import Product
from trading.rules.valuation import total_unrealized_pnl

ACCOUNT = """
SELECT available_margin, blocked_margin, (market_now() AT TIME ZONE 'Asia/Kolkata')::date AS today
FROM account WHERE id = %s
"""
# The day of an account begins after the entry of its last reset on the day, else after the last entry before the day,
# else after its first one: a new account opens the day with its first deposit.
DAY = """
WITH beginning AS (
    SELECT id, balance_after - blocked_after AS opening FROM (
        (SELECT 1 AS choice, * FROM fund_transaction WHERE account_id = %(account)s AND id >= %(since)s
            AND kind IN ('ADJUST_CREDIT', 'ADJUST_DEBIT') ORDER BY id DESC LIMIT 1)
        UNION ALL
        (SELECT 2, * FROM fund_transaction WHERE account_id = %(account)s AND id < %(since)s ORDER BY id DESC LIMIT 1)
        UNION ALL
        (SELECT 3, * FROM fund_transaction WHERE account_id = %(account)s ORDER BY id LIMIT 1)) AS entry
    ORDER BY choice LIMIT 1)
SELECT coalesce(max(opening), 0) AS opening,
    coalesce(sum(amount) FILTER (WHERE kind = 'DEPOSIT'), 0) AS deposited,
    coalesce(sum(amount) FILTER (WHERE kind = 'WITHDRAWAL'), 0) AS withdrawn,
    coalesce(sum(CASE kind WHEN 'PROFIT' THEN amount WHEN 'LOSS' THEN -amount END), 0) AS realized
FROM beginning LEFT JOIN fund_transaction AS entry ON account_id = %(account)s AND entry.id > beginning.id
"""


def read_funds(account_id: UUID, days: SettlementDays) -> Funds:
    """Return the money of an account on the present day; raises NotFound."""
    with snapshot():
        account = fetch_one(ACCOUNT, (account_id,))
        if account is None:
            raise NotFound
        since = first_entry_of_day(account_id, account["today"], days)
        day = fetch_one(DAY, {"account": account_id, "since": since})
        book = book_of_day(account_id, days)
    assert day is not None
    rows = [booked.row for booked in book]
    paid = sum((row["blocked_margin"] for row in rows if row["product"] == Product.DELIVERY), ZERO)
    intraday = [(row["quantity"], row["cost"], row["last_price"]) for row in rows if row["product"] == Product.INTRADAY]
    return Funds(
        **day,
        available=account["available_margin"],
        unrealized=total_unrealized_pnl(intraday),
        blocked=account["blocked_margin"] - paid,
        holding_sales=sum((_sold(booked) for booked in book), ZERO),
    )


def _sold(booked: BookedPosition) -> Decimal:
    """Return the value in rupees of the shares of a holding that were sold on the day."""
    figures = booked.position.figures
    if booked.holding is None or not figures.sell_quantity:
        return ZERO
    return figures.sell_value * booked.holding.used_quantity / figures.sell_quantity
