"""Quotes and orders for the tests of the fill rules, and generators of both."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from trading.rules.quotes import Quote
from trading.rules.resting import RestingOrder

QUOTED_AT = datetime(2026, 11, 23, 4, 0, 0, 250, tzinfo=UTC)


def decimal(value: str | Decimal | None) -> Decimal | None:
    """Return a price, None for None and for "none"."""
    return None if value in (None, "none") else Decimal(value)


def quote(text: str, *, number: int = 10, **facts: Any) -> Quote:
    """Return a usable quote written as "bid/ask/last"; its last price is a new trade, unless new_trade is given."""
    bid, ask, last = (decimal(part) for part in text.split("/"))
    values: dict[str, Any] = {"usable_number": number - 1, "is_usable": True, "new_trade": last, "quoted_at": QUOTED_AT}
    values |= {name: decimal(value) if isinstance(value, str) else value for name, value in facts.items()}
    return Quote(number=number, bid=bid, ask=ask, last=last, **values)


def order(side: str, order_type: str, price: str | None = None, **terms: Any) -> RestingOrder:
    """Return an order; its prices may be texts."""
    prices = {
        name: decimal(terms.pop(name, None)) for name in ("trigger_price", "market_protection", "protection_price")
    }
    return RestingOrder(side=side, order_type=order_type, price=decimal(price), **prices, **terms)


# A narrow range, so that prices often meet; its middle is the axis of the mirror.
PRICES = st.integers(1, 199).map(lambda steps: Decimal(steps).scaleb(-1).quantize(Decimal("0.01")))
AXIS = Decimal("20.00")
SIDES = st.sampled_from(["BUY", "SELL"])
MODES = st.sampled_from(["book", "touch", "through"])


@st.composite
def quotes(draw: Any, *, number: int = 10) -> Quote:
    """Draw a usable quote, with one, both or no sides, and with or without a new trade and circuits."""
    bid, ask = draw(st.none() | PRICES), draw(st.none() | PRICES)
    if bid is not None and ask is not None:
        bid, ask = sorted((bid, ask))
    last = draw(PRICES)
    lower, upper = sorted((draw(PRICES), draw(PRICES)))
    has_circuits = draw(st.booleans())
    return Quote(
        number=number,
        usable_number=draw(st.integers(0, number - 1)),
        bid=bid,
        ask=ask,
        last=last,
        quoted_at=QUOTED_AT,
        is_usable=True,
        new_trade=draw(st.sampled_from([None, last])),
        lower_circuit=lower if has_circuits else None,
        upper_circuit=upper if has_circuits else None,
    )


@st.composite
def orders(draw: Any, types: tuple[str, ...] = ("LIMIT", "MARKET", "STOP_LIMIT", "STOP_MARKET")) -> RestingOrder:
    """Draw a live order of one of these types."""
    order_type = draw(st.sampled_from(types))
    is_stop = order_type.startswith("STOP")
    has_limit = order_type.endswith("LIMIT")
    is_triggered = is_stop and draw(st.booleans())
    percent = None if has_limit else draw(st.none() | st.integers(1, 99).map(Decimal))
    rests = percent is not None and (is_triggered or not is_stop) and draw(st.booleans())
    return RestingOrder(
        side=draw(SIDES),
        order_type=order_type,
        price=draw(PRICES) if has_limit else None,
        trigger_price=draw(PRICES) if is_stop else None,
        is_triggered=is_triggered,
        market_protection=percent,
        protection_price=draw(PRICES) if rests else None,
        opened_number=draw(st.none() | st.integers(0, 12)),
        limit_fills=draw(MODES),
    )
