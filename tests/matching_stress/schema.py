"""The tables of a run: the product's own, with accounts and stocks, and the logs beside them."""

from uuid import UUID, uuid4

from tests.matching_stress.connection import Link
from tests.matching_stress.settings import Settings

# A step of an order is written under its row's lock, so that the numbers of one order's steps are in their true order.
LOGS = """
CREATE SCHEMA stress;
CREATE TABLE stress.tick (
    stock_id uuid, number bigint, usable_before bigint, is_usable boolean, bid numeric, ask numeric, last numeric,
    new_trade numeric, at timestamptz, PRIMARY KEY (stock_id, number));
CREATE TABLE stress.step (
    id bigserial PRIMARY KEY, order_id uuid, kind text, number bigint, order_type text, price numeric,
    trigger_price numeric, is_triggered boolean, blind bigint, expires_at timestamptz);
"""
ACCOUNTS = "INSERT INTO account (id, name, balance, fill_model) VALUES %s"
STOCKS = "INSERT INTO stock (id, exchange, symbol) VALUES %s"
POSITIONS = """
INSERT INTO position (id, account_id, stock_id, product, exchange, symbol)
SELECT gen_random_uuid(), account.id, stock.id, 'INTRADAY', exchange, symbol FROM account CROSS JOIN stock
"""


def prepare(link: Link, settings: Settings) -> tuple[list[UUID], list[UUID]]:
    """Make the logs, the accounts and the stocks in an empty, migrated database; return both lists of ids."""
    link.rows(LOGS)
    accounts = [uuid4() for _ in range(settings.accounts)]
    stocks = [uuid4() for _ in range(settings.stocks)]
    link.write(ACCOUNTS, [(account_id, f"A{index}", 0, "QUOTES") for index, account_id in enumerate(accounts)])
    link.write(STOCKS, [(stock_id, "NSE", f"S{index}") for index, stock_id in enumerate(stocks)])
    link.rows(POSITIONS)
    return accounts, stocks
