"""Short functions for tests of orders that may rest: an account that trades on quotes, orders, facts of a stock."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.support.trading import SYMBOL, Row, run
from tests.trading.execution.market import quote as quote
from trading.accounts.administration import change_account
from trading.orders.placement import place_order
from trading.rules.decision import OrderRequest

PRICES = ("price", "trigger_price", "market_protection")


def asked(side: str, quantity: int, order_type: str = "LIMIT", **terms: Any) -> OrderRequest:
    """Return a request for an order; prices may be texts."""
    prices = {name: Decimal(terms[name]) for name in PRICES if terms.get(name) is not None}
    return OrderRequest(
        **({"exchange": "NSE", "symbol": SYMBOL} | terms | prices), side=side, quantity=quantity, order_type=order_type
    )


def place(account_id: UUID, side: str, quantity: int, order_type: str = "LIMIT", **terms: Any) -> Row:
    """Place an order and return its row."""
    return place_order(account_id, asked(side, quantity, order_type, **terms), calendar=None).order


def trade_on_quotes(account_id: UUID) -> UUID:
    """Give an account the fill model QUOTES, and return its id."""
    change_account(account_id, {"fill_model": "QUOTES"})
    return account_id


def know(**facts: Any) -> None:
    """Set facts of the stock, such as its tick size; circuits hold today."""
    assignments = ", ".join(f"{name} = %s" for name in facts)
    today = "circuit_day = (market_now() AT TIME ZONE 'Asia/Kolkata')::date"
    run(f"UPDATE stock SET {today}, {assignments}", *facts.values())
