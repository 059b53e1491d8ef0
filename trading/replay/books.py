"""The results of a replay, read from its tables: orders, trades, ledger, positions, holdings and accounts.

Each is a list of columns by their names in the file, in an order that is the same in every run.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from models.database import fetch_all
from trading.accounts import portfolio
from trading.market.trading_days import trading_days
from trading.replay.trader import Refusal
from trading.rules.terms import OrderStatus, Product

Line = dict[str, Any]

ORDERS = """
SELECT trading_order.*, account.name AS account,
    CASE trading_order.status WHEN 'EXECUTED' THEN executed_at ELSE trading_order.updated_at END AS ended_at
FROM trading_order JOIN account ON account.id = account_id ORDER BY placed_at, trading_order.id
"""
TRADES = """
SELECT trading_order.*, account.name AS account FROM trading_order JOIN account ON account.id = account_id
WHERE trading_order.status = 'EXECUTED' ORDER BY executed_at, match_sequence, match_class, placed_at, trading_order.id
"""
LEDGER = """
SELECT fund_transaction.*, account.name AS account, trading_order.client_order_id
FROM fund_transaction JOIN account ON account.id = fund_transaction.account_id
LEFT JOIN trading_order ON trading_order.id = order_id
ORDER BY fund_transaction.created_at, fund_transaction.account_id, fund_transaction.id
"""
BY_ACCOUNT = "ORDER BY position.account_id, position.exchange, position.symbol, position.product"
ACCOUNTS = "SELECT name, balance, blocked_margin, realized_pnl FROM account ORDER BY id"


def orders(refusals: Iterable[Refusal], names: dict[UUID, str]) -> list[Line]:
    """Return all orders by their times of placement, with the refused placements as REJECTED ones."""
    placed = [(row["placed_at"], _order(row, names)) for row in fetch_all(ORDERS)]
    refused = [(refusal.at, _refused(refusal)) for refusal in refusals if refusal.is_of_an_order]
    return [line for _, line in sorted([*placed, *refused], key=lambda pair: pair[0])]


def _order(row: dict[str, Any], names: dict[UUID, str]) -> Line:
    is_live = row["status"] in ("PENDING", "OPEN")
    return {
        "account": row["account"],
        "clientOrderId": _name(row, names),
        "status": row["status"],
        "averagePrice": row["average_price"],
        "filledQuantity": row["filled_quantity"],
        "charges": row["charges"],
        "rejectionReason": row["rejection_reason"],
        "placedAt": row["placed_at"],
        "endedAt": None if is_live else row["ended_at"],
        "fillRule": (row["fill"] or {}).get("rule") if row["status"] == OrderStatus.EXECUTED else None,
    }


def _refused(refusal: Refusal) -> Line:
    return {
        "account": refusal.account,
        "clientOrderId": refusal.name,
        "status": "REJECTED",
        "averagePrice": None,
        "filledQuantity": 0,
        "charges": Decimal("0.00"),
        "rejectionReason": refusal.code,
        "placedAt": refusal.at,
        "endedAt": refusal.at,
        "fillRule": None,
    }


def trades(names: dict[UUID, str]) -> list[Line]:
    """Return one trade for each executed order, in the order of execution."""
    return [
        {
            "tradeId": row["id"],
            "at": row["executed_at"],
            "account": row["account"],
            "clientOrderId": _name(row, names),
            "exchange": row["exchange"],
            "symbol": row["symbol"],
            "side": row["side"],
            "product": row["product"],
            "quantity": row["filled_quantity"],
            "price": row["average_price"],
            "charges": row["charges"],
            "rule": (row["fill"] or {}).get("rule"),
        }
        for row in fetch_all(TRADES)
    ]


def _name(row: dict[str, Any], names: dict[UUID, str]) -> str | None:
    """Return the name of an order: its clientOrderId, or that of the action that closed a position by it."""
    name: str | None = row["client_order_id"]
    return name or names.get(row["id"])


def ledger() -> list[Line]:
    """Return the entries of all accounts in the order of their posting."""
    return [
        {
            "id": row["id"],
            "account": row["account"],
            "kind": row["kind"],
            "amount": row["amount"],
            "balanceAfter": row["balance_after"],
            "blockedAfter": row["blocked_after"],
            "orderId": row["order_id"],
            "clientOrderId": row["client_order_id"],
            "createdAt": row["created_at"],
        }
        for row in fetch_all(LEDGER)
    ]


def positions(names: dict[UUID, str], calendar: str | None) -> list[Line]:
    """Return all positions, flat ones too, with the figures of the last day; names are those of the accounts."""
    days, lines = trading_days(calendar), []
    for row in fetch_all(f"{portfolio.POSITIONS} {BY_ACCOUNT}"):
        portfolio.value_position(row, days)
        lines.append(_valued(row, names))
    return lines


def holdings(names: dict[UUID, str], calendar: str | None) -> list[Line]:
    """Return the DELIVERY shares that were bought before the last day; names are those of the accounts."""
    days, lines = trading_days(calendar), []
    statement = f"{portfolio.HOLDINGS} WHERE {portfolio.IS_HOLDING} {BY_ACCOUNT}"
    for row in fetch_all(statement, (calendar, Product.DELIVERY)):
        portfolio.value_holding(row, days)
        lines.append(_valued(row, names))
    return lines


def _valued(row: dict[str, Any], names: dict[UUID, str]) -> Line:
    return {"account": names[row["account_id"]], **{_camel_case(name): value for name, value in row.items()}}


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def accounts() -> list[Line]:
    """Return all accounts in the order of their opening."""
    return [
        {
            "account": row["name"],
            "balance": row["balance"],
            "blockedMargin": row["blocked_margin"],
            "availableMargin": row["balance"] - row["blocked_margin"],
            "realizedPnl": row["realized_pnl"],
        }
        for row in fetch_all(ACCOUNTS)
    ]


def text(value: Any) -> str:
    """Return a value as the text of a cell: times in UTC, amounts with two places."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    return str(value)
