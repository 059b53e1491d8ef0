"""The requests that place and change orders."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from marshmallow import validates_schema
from marshmallow.exceptions import ValidationError

from .base import StrictSchema
from .fields import MAX_PRICE, Choice, Flag, GivenMoney, Identifier, Symbol, Whole
from .orders import (
    EXCHANGES,
    ORDER_TYPE_SPELLINGS,
    ORDER_TYPES,
    PRODUCT_SPELLINGS,
    PRODUCTS,
    SIDES,
    VALIDITIES,
)
from .pages import NAMED_ACCOUNT
from .words import Printable

LIMITS, STOPS, MARKETS = ("LIMIT", "STOP_LIMIT"), ("STOP_LIMIT", "STOP_MARKET"), ("MARKET", "STOP_MARKET")
MAX_QUANTITY = 1_000_000
MAX_VALIDITY_MINUTES = 1_440
MAX_PROTECTION = Decimal("100.00")
# The server's own orders have such a clientOrderId.
SERVER_PREFIX = "squareoff-"


class OrderTermsSchema(StrictSchema):
    """The terms of an order."""

    exchange = Choice(*EXCHANGES, required=True)
    symbol = Symbol(
        required=True,
        metadata={"example": "RELIANCE", "description": "The symbol; lower case is folded to upper case."},
    )
    side = Choice(*SIDES, required=True)
    quantity = Whole(
        minimum=1,
        maximum=MAX_QUANTITY,
        required=True,
        metadata={"example": 10, "description": "The number of shares, a multiple of the stock's lot size."},
    )
    order_type = Choice(
        *ORDER_TYPES,
        spellings=ORDER_TYPE_SPELLINGS,
        data_key="orderType",
        load_default="MARKET",
        metadata={"example": "LIMIT", "description": "The order type; `MARKET` if it is left out."},
    )
    price = GivenMoney(
        maximum=MAX_PRICE,
        allow_none=True,
        load_default=None,
        metadata={"example": "2500.00", "description": "Required for LIMIT and STOP_LIMIT, refused otherwise."},
    )
    product = Choice(
        *PRODUCTS,
        spellings=PRODUCT_SPELLINGS,
        load_default="INTRADAY",
        metadata={"description": "The product; `INTRADAY` if it is left out."},
    )
    client_order_id = Printable(
        maximum=64,
        data_key="clientOrderId",
        allow_none=True,
        load_default=None,
        metadata={
            "description": "A name of your own for the order, unique within the account for ever: a second order with "
            "it is refused (`duplicate_client_order_id`). It does not begin with `squareoff-`."
        },
    )
    # Without defaults, so that a request that names none of these has the fingerprint that it had before they existed:
    # an Idempotency-Key of the previous release stays valid.
    trigger_price = GivenMoney(
        maximum=MAX_PRICE,
        data_key="triggerPrice",
        allow_none=True,
        metadata={"description": "Required for STOP_LIMIT and STOP_MARKET, refused otherwise."},
    )
    validity = Choice(
        *VALIDITIES,
        metadata={
            "description": "The time for which the order waits; default `DAY`. MARKET: `DAY` or `IOC`. Stops and "
            "`afterMarket`: not `IOC`."
        },
    )
    validity_minutes = Whole(
        minimum=1,
        maximum=MAX_VALIDITY_MINUTES,
        data_key="validityMinutes",
        allow_none=True,
        metadata={"description": "Required for the validity TTL, refused otherwise."},
    )
    market_protection = GivenMoney(
        maximum=MAX_PROTECTION,
        data_key="marketProtection",
        allow_none=True,
        metadata={
            "description": "Percent, such as 2.50; only for MARKET and STOP_MARKET. The order fills no worse than the "
            "last price × (1 ± this), and rests at that price otherwise. Below 100 for SELL.",
        },
    )
    after_market = Flag(
        data_key="afterMarket",
        metadata={"description": "Outside the session the order is accepted too, and waits until the next one opens."},
    )
    tag = Printable(
        maximum=20,
        allow_none=True,
        metadata={"description": "A word of your own, such as `scalper-1`, by which lists can be filtered."},
    )

    @validates_schema
    def check_terms(self, data: dict[str, Any], **_: Any) -> None:
        """Require the terms that the order type needs, and refuse those that it does not take."""
        errors: dict[str, str] = {}
        _check_prices(data, errors)
        _check_validity(data, errors)
        _check_protection(data, errors)
        if (data["client_order_id"] or "").startswith(SERVER_PREFIX):
            errors["clientOrderId"] = f"Must not begin with {SERVER_PREFIX}, as the server's own orders do."
        if errors:
            raise ValidationError({name: [message] for name, message in errors.items()})


def _check_prices(data: Mapping[str, Any], errors: dict[str, str]) -> None:
    order_type = data["order_type"]
    article = "An" if order_type[0] in "AEIO" else "A"
    for field, key, needed in (("price", "price", LIMITS), ("trigger_price", "triggerPrice", STOPS)):
        is_given = data.get(field) is not None
        if is_given != (order_type in needed):
            takes = f"takes no {key}" if is_given else f"needs a {key}"
            errors[key] = f"{article} {order_type} order {takes}."


def _check_validity(data: Mapping[str, Any], errors: dict[str, str]) -> None:
    validity, order_type = data.get("validity", "DAY"), data["order_type"]
    if order_type == "MARKET" and validity not in ("DAY", "IOC"):
        errors["validity"] = "A MARKET order has the validity DAY or IOC."
    elif validity == "IOC" and (order_type in STOPS or data.get("after_market")):
        errors["validity"] = "A stop or an afterMarket order does not have the validity IOC."
    if (validity == "TTL") != (data.get("validity_minutes") is not None):
        needs = "needs" if validity == "TTL" else "does not take"
        errors["validityMinutes"] = f"The validity {validity} {needs} validityMinutes."


def _check_protection(data: Mapping[str, Any], errors: dict[str, str]) -> None:
    percent = data.get("market_protection")
    if percent is None:
        return
    if data["order_type"] not in MARKETS:
        errors["marketProtection"] = f"A {data['order_type']} order takes no marketProtection."
    elif data["side"] == "SELL" and percent == MAX_PROTECTION:
        errors["marketProtection"] = "Must be below 100 for a SELL."


class OrderRequestSchema(OrderTermsSchema):
    """An order to place, with its account."""

    account_id = Identifier(data_key="tradingAccountId", load_default=None, metadata=NAMED_ACCOUNT)


class OrderChangeSchema(StrictSchema):
    """The new terms of a PENDING or OPEN order; an omitted member stays unchanged."""

    quantity = Whole(
        minimum=1, maximum=MAX_QUANTITY, metadata={"example": 5, "description": "The new number of shares."}
    )
    price = GivenMoney(
        maximum=MAX_PRICE, metadata={"description": "Only if the order is LIMIT or STOP_LIMIT after the change."}
    )
    trigger_price = GivenMoney(
        maximum=MAX_PRICE,
        data_key="triggerPrice",
        metadata={"description": "Only for a stop that has not been triggered."},
    )
    order_type = Choice(
        *ORDER_TYPES,
        spellings=ORDER_TYPE_SPELLINGS,
        data_key="orderType",
        metadata={"description": "A LIMIT order may become MARKET, a stop LIMIT or MARKET."},
    )
    account_id = Identifier(data_key="tradingAccountId", load_default=None, metadata=NAMED_ACCOUNT)
