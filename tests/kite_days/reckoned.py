"""The same day by the reckoning of weeks, which knows the rules as they are written and no code of the product."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.kite_days.recorded import CLASSES, DAY, DAY_BEFORE, Moment, for_reckoning
from tests.support.trading import rows
from tests.trading.weeks.calendar_of_weeks import Days
from tests.trading.weeks.generating import Week, Wish
from tests.trading.weeks.market import Market, Stock

EVENTS = """
SELECT account.name AS owner, event.type, event.data FROM event JOIN account ON account.id = account_id
WHERE type LIKE 'order.%%' ORDER BY account_id, event.id
"""
CHANGEABLE = ("quantity", "price", "trigger_price", "order_type")


def requests_of_clients() -> list[Wish]:
    """Return what the bots asked for, with the times at which the database decided it."""
    wishes, known = [], {}
    for row in rows(EVENTS):
        order, name = row["data"], row["data"]["id"]
        if order["origin"] != "CLIENT":
            continue
        if row["type"] == "order.pending" and name not in known:
            wishes.append(_placement(row["owner"], order))
        elif row["type"] == "order.modified":
            changed = {field: order[field] for field in CHANGEABLE if order[field] != known[name][field]}
            wishes += [_change(row["owner"], order, changed)] if changed else []
        elif row["type"] == "order.cancelled" and order["end_reason"] == "client":
            wishes.append(Wish(_time(order["updated_at"]), "cancel", row["owner"], name))
        known[name] = order
    return sorted(wishes, key=lambda wish: wish.at)


def _placement(owner: str, order: dict[str, Any]) -> Wish:
    terms = [order[name] for name in ("id", "symbol", "side", "product", "order_type", "quantity")]
    prices = (_price(order["price"]), _price(order["trigger_price"]))
    after_market = order["after_market"]
    return Wish(
        _time(order["placed_at"]), "place", owner, *terms, *prices, order["validity"], after_market=after_market
    )


def _change(owner: str, order: dict[str, Any], changed: dict[str, Any]) -> Wish:
    assert "order_type" not in changed
    return Wish(
        _time(order["updated_at"]), "modify", owner, order["id"], quantity=changed.get("quantity"),
        price=_price(changed.get("price")), trigger=_price(changed.get("trigger_price")),
    )  # fmt: skip


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _price(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def play(moments: list[Moment], wishes: Iterable[Wish], balance: Decimal) -> Market:
    """Play the day with what the bots asked for, and return the market after it."""
    days = Days(DAY_BEFORE, DAY, frozenset(), frozenset())
    market = Market(Week(days, for_reckoning(moments), list(wishes)), balance)
    market.stocks = {symbol: Stock(session_class) for symbol, session_class in CLASSES.items()}
    for _ in market.play():
        pass
    return market
