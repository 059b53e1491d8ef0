"""Kite's order and its trade, made of a row of trading_order or of the row in an event, whose times are texts."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from schemas.order_requests import STOPS

from .words import ORDER_TYPES, PRODUCTS, indian_clock, indian_time, kite_status, number, user_id

Row = Mapping[str, Any]

# An order fills once and whole, so that the digits of its sequence name its trade.
TRADE_DIGITS = 9
# For people, of orders that ended otherwise than by a fill or by their owner's wish.
REJECTIONS = {
    "insufficient_margin": "Insufficient funds. Check the orderbook for open orders.",
    "insufficient_holdings": "Insufficient holdings. Check the orderbook for open orders.",
    "no_price": "There is no last traded price at which the order could be filled.",
    "execution_failed": "The order could not be executed.",
}
ENDS = {
    "ioc": "The order could not be filled at once.",
    "square_off": "The order was cancelled for the square-off of intraday positions.",
    "oco": "The other order of the pair was filled.",
    "reset": "The account was reset.",
    "stock_inactive": "The instrument is not traded any more.",
}
EXPIRED = "The validity of the order has ended."


def id_of(row: Row) -> str:
    """Return the id by which Kite's clients know an order: 15 digits."""
    return str(row["order_number"])


def variety_of(row: Row) -> str:
    """Return the variety of an order: `amo` if it could be placed outside the session."""
    return "amo" if row["after_market"] else "regular"


def status_of(row: Row) -> str:
    """Return Kite's status of an order; a stop that has not been triggered waits for its trigger, from the first."""
    status = kite_status(row["status"], row["waiting_for"])
    waits = row["order_type"] in STOPS and row["triggered_at"] is None and row["matched_at"] is None
    return "TRIGGER PENDING" if status == "OPEN" and waits else status


def kite_order(row: Row, instrument_token: int) -> dict[str, Any]:
    """Return an order as Kite's order book has it."""
    status, user = status_of(row), _user(row)
    found = {
        "account_id": user,
        "placed_by": user,
        "order_id": id_of(row),
        "exchange_order_id": exchange_order_id(row) if _has_reached_exchange(status) else None,
        "parent_order_id": None,
        "status": status,
        **_messages(row),
        **_times(row, status),
        "variety": variety_of(row),
        "modified": row["modifications"] > 0,
        "exchange": row["exchange"],
        "tradingsymbol": row["symbol"],
        "instrument_token": instrument_token,
        "transaction_type": row["side"],
        "validity": row["validity"],
        "validity_ttl": row["validity_minutes"] or 0,
        "product": PRODUCTS[row["product"]],
        **_prices(row),
        **_quantities(row, status),
        "auction_number": None,
        "meta": {},
        "tag": row["tag"],
        "guid": None,
    }
    return found if row["tag"] is None else found | {"tags": [row["tag"]]}


def kite_trade(row: Row, instrument_token: int) -> dict[str, Any]:
    """Return the trade of an executed order."""
    filled_at = indian_time(moment(row["executed_at"]))
    return {
        "trade_id": id_of(row)[-TRADE_DIGITS:],
        "order_id": id_of(row),
        "exchange_order_id": exchange_order_id(row),
        "exchange": row["exchange"],
        "tradingsymbol": row["symbol"],
        "instrument_token": instrument_token,
        "product": PRODUCTS[row["product"]],
        "transaction_type": row["side"],
        "quantity": row["filled_quantity"],
        "average_price": number(row["average_price"]),
        "fill_timestamp": filled_at,
        "exchange_timestamp": filled_at,
        "order_timestamp": indian_clock(moment(row["executed_at"])),
    }


def exchange_order_id(row: Row) -> str:
    """Return the id that the exchange would have given the order: 16 digits."""
    return f"1{id_of(row)}"


def moment(value: datetime | str | None) -> datetime | None:
    """Return a time, which an event has as a text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _user(row: Row) -> str:
    account_id = row["account_id"]
    return user_id(account_id if isinstance(account_id, UUID) else UUID(account_id))


def _has_reached_exchange(status: str) -> bool:
    return status not in ("AMO REQ RECEIVED", "REJECTED")


def _messages(row: Row) -> dict[str, str | None]:
    """Return the reason of the order's end for people, and the same as a word of this service."""
    if row["status"] == "REJECTED":
        reason = row["rejection_reason"]
        return {"status_message": REJECTIONS.get(reason, reason), "status_message_raw": reason}
    reason = row["end_reason"]
    usual = EXPIRED if row["status"] == "EXPIRED" else None
    return {"status_message": ENDS.get(reason, usual), "status_message_raw": reason}


def _times(row: Row, status: str) -> dict[str, str | None]:
    ordered_at = moment(row["modified_at"] or row["placed_at"])
    at_exchange = indian_time(moment(row["executed_at"]) or ordered_at) if _has_reached_exchange(status) else None
    return {
        "order_timestamp": indian_time(ordered_at),
        "exchange_update_timestamp": at_exchange and indian_time(moment(row["updated_at"])),
        "exchange_timestamp": at_exchange,
    }


def _prices(row: Row) -> dict[str, Any]:
    """Return the type and the prices; a protected market order that rests is a limit order in Kite's book."""
    cap: Decimal | None = row["protection_price"]
    return {
        "order_type": ORDER_TYPES[row["order_type"]] if cap is None else "LIMIT",
        "price": number(row["price"] if cap is None else cap),
        "trigger_price": number(row["trigger_price"]),
        "average_price": number(row["average_price"]),
        "market_protection": number(row["market_protection"]),
    }


def _quantities(row: Row, status: str) -> dict[str, int]:
    """Return the quantities; as in Kite, the rest of a cancelled order is pending and cancelled."""
    rest = row["quantity"] - row["filled_quantity"]
    return {
        "quantity": row["quantity"],
        "disclosed_quantity": 0,
        "filled_quantity": row["filled_quantity"],
        "pending_quantity": 0 if status in ("COMPLETE", "REJECTED") else rest,
        "cancelled_quantity": rest if status == "CANCELLED" else 0,
    }
