"""The messages of the stream as short lines for people."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from trading.rules.sessions import INDIAN_TIME

from .output import joined

Message = Mapping[str, Any]


def line_of(message: Message) -> str:
    """Return a message in one line: the time in India, the number, the type, and the facts that matter."""
    kind, data = message["type"], message.get("data", {})
    if kind == "reset":
        return f"reset: events up to {message['lastEventId']} are gone or were taken back; read the state anew"
    if kind == "quote":
        return joined([_time(data["quotedAt"]), "quote", _stock(data), data["lastPrice"], *_book(data)])
    number = f"#{message['id']}"
    tell = TELLERS.get(kind.partition(".")[0])
    return f"{_time(message['at'])} {number:<6} {kind:<16} {tell(data) if tell else ''}".rstrip()


def _order(order: Message) -> str:
    """Return for example: BUY 10 NSE:RELIANCE LIMIT 2500.00, filled at 2499.95."""
    terms = joined([order["side"], order["quantity"], _stock(order), order["orderType"], order["price"]])
    ending = {
        "OPEN": _after("waiting for", order["waitingFor"]),
        "EXECUTED": _after("filled at", order["averagePrice"]),
        "REJECTED": _after("because", order["rejectionReason"]),
        "CANCELLED": _after("by", order["endReason"]),
    }.get(order["status"])
    trigger = _after("trigger", order["triggerPrice"])
    return f"{', '.join(part for part in (terms, trigger, ending) if part)}  {order['orderId']}"


def _position(position: Message) -> str:
    price = _after("at", position["averagePrice"]) if position["quantity"] else None
    held = joined([_stock(position), position["product"], position["quantity"], price])
    return f"{held}, realised {position['realizedPnl']}"


def _account(account: Message) -> str:
    """Return the money of an account, and its status unless it is active."""
    money = f"balance {account['balance']}, available {account['availableMargin']}"
    return money if account["status"] == "ACTIVE" else f"{money}, {account['status']}"


def _stock(data: Message) -> str:
    return f"{data['exchange']}:{data['symbol']}"


def _book(quote: Message) -> list[str | None]:
    return [_after("bid", quote["bidPrice"]), _after("ask", quote["askPrice"])]


def _after(word: str, value: object) -> str | None:
    return None if value is None else f"{word} {value}"


def _time(text: str | None) -> str:
    return "--:--:--" if text is None else f"{datetime.fromisoformat(text).astimezone(INDIAN_TIME):%H:%M:%S}"


TELLERS: dict[str, Callable[[Message], str]] = {"order": _order, "position": _position, "account": _account}
