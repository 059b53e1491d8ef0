"""Read the forms that place and modify orders, as the clients of Kite Connect send them."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from flask import current_app
from marshmallow import Schema
from marshmallow.exceptions import ValidationError

from models.rows import OrderRow
from schemas.kite.words import OUR_ORDER_TYPES, OUR_PRODUCTS, VALIDITIES, in_kites_names
from schemas.order_requests import LIMITS, MARKETS, MAX_PROTECTION, STOPS, OrderChangeSchema, OrderTermsSchema
from schemas.orders import EXCHANGES, SIDES
from trading.orders.modification import OrderChange
from trading.rules.decision import OrderRequest

from . import forms
from .envelope import OFF_TICK, UNKNOWN_INSTRUMENT, KiteRefusal

TERMS, CHANGE = OrderTermsSchema(), OrderChangeSchema()

REGULAR, AFTER_MARKET = "regular", "amo"
VARIETIES = (REGULAR, AFTER_MARKET)
# Kite has these, and this service does not offer them.
OTHER_EXCHANGES = ("NFO", "BFO", "CDS", "BCD", "MCX", "NCO", "NSEIX", "MF")
OTHER_PRODUCTS = ("NRML", "CO", "BO", "MTF")

PAISA = Decimal("0.01")
# Python's floats arrive as 100.05000000000001.
TOLERANCE = Decimal("0.000001")
# A market_protection of -1 asks for the automatic one. Indian brokers allow shares 0.5 to 2 percent, the cheap ones the
# most (help pages of two brokers, read 2026-11).
AUTOMATIC, AUTOMATIC_PERCENT = Decimal(-1), Decimal("2.00")

# Kite Connect's own words since 2026-04-01.
UNPROTECTED = (
    "Market orders without market protection are not allowed via API. "
    "Please set market protection or use a Limit order."
)
# Kite's names of the fields whose names differ.
KITE_NAMES = {
    "symbol": "tradingsymbol",
    "side": "transaction_type",
    "orderType": "order_type",
    "triggerPrice": "trigger_price",
    "validityMinutes": "validity_ttl",
    "marketProtection": "market_protection",
    "afterMarket": "variety",
}


def read_order(given: forms.Values, variety: str) -> OrderRequest:
    """Return the order that a form places."""
    check_variety(variety)
    forms.required(given, "exchange", "tradingsymbol", "transaction_type", "quantity", "product", "order_type")
    order_type = _order_type(given)
    assert order_type is not None
    needed = [name for name, types in (("price", LIMITS), ("trigger_price", STOPS)) if order_type in types]
    forms.required({name: text for name in needed if (text := _price(given, name))}, *needed)
    validity = forms.choice(given, "validity", VALIDITIES, "DAY")
    body = {
        "exchange": _exchange(given),
        "symbol": given["tradingsymbol"],
        "side": forms.choice(given, "transaction_type", SIDES),
        "quantity": forms.whole(given, "quantity"),
        "product": _product(given),
        "validity": validity,
        "validityMinutes": forms.whole(given, "validity_ttl") if validity == "TTL" else None,
        "afterMarket": variety == AFTER_MARKET,
        "tag": given.get("tag"),
        **_typed(given, order_type),
    }
    return OrderRequest(**_load(TERMS, body))


def read_change(given: forms.Values, order: OrderRow) -> OrderChange:
    """Return the change of an order that a form asks for; the terms that its type does not have are left out."""
    validity = forms.choice(given, "validity", VALIDITIES)
    if validity not in (None, order["validity"]):
        raise KiteRefusal("InputException", "The validity of an order cannot be changed.", field="validity")
    order_type = _type_after(given, order)
    body = {"quantity": forms.whole(given, "quantity"), **_typed(given, order_type, order["market_protection"])}
    protection = body.pop("marketProtection")
    if order["side"] == "SELL" and protection == str(MAX_PROTECTION):
        raise forms.invalid("market_protection")
    change = _load(CHANGE, body)
    del change["account_id"]
    return OrderChange(**change, market_protection=Decimal(protection) if protection else None)


def _type_after(given: forms.Values, order: OrderRow) -> str:
    """Return the type after a change; a protected market order that rests is a limit order for the client."""
    wanted, cap = _order_type(given), order["protection_price"]
    if cap is None or wanted == "MARKET":
        return wanted or order["order_type"]
    price = _price(given, "price")
    if wanted not in (None, "LIMIT") or price not in (None, str(cap)):
        raise KiteRefusal("InputException", "The type and the price of a protected MARKET order cannot be changed.")
    return order["order_type"]


def check_variety(variety: str) -> None:
    """Refuse the varieties that this service does not offer."""
    if variety not in VARIETIES:
        raise not_offered("variety", VARIETIES)


def not_offered(name: str, offered: Iterable[str]) -> KiteRefusal:
    """Return the refusal of a word of Kite's that this service does not offer."""
    return KiteRefusal("InputException", f"Invalid `{name}`. This service offers {' and '.join(offered)}.", field=name)


def _typed(given: forms.Values, order_type: str, protection: Decimal | None = None) -> dict[str, str | None]:
    """Return the type with the terms that it has; protection is the market protection that the order has already."""
    body = {
        "orderType": order_type,
        "price": _price(given, "price") if order_type in LIMITS else None,
        "triggerPrice": _price(given, "trigger_price") if order_type in STOPS else None,
        "marketProtection": _protection(given) if order_type in MARKETS else None,
    }
    is_protected = order_type not in MARKETS or body["marketProtection"] or protection
    if not is_protected and current_app.config["SETTINGS"].kite_strict_market_protection:
        raise KiteRefusal("InputException", UNPROTECTED, field="market_protection")
    return body


def _load(schema: Schema, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the terms that the first door's schema makes of a body; it has the limits of both doors."""
    try:
        terms: dict[str, Any] = schema.load({name: value for name, value in body.items() if value is not None})
    except ValidationError as error:
        (field, messages), *_ = error.messages_dict.items()
        if field == "symbol":
            raise KiteRefusal("InputException", UNKNOWN_INSTRUMENT, code="unknown_symbol") from None
        name = KITE_NAMES.get(field, field)
        raise KiteRefusal("InputException", f"Invalid `{name}`. {in_kites_names(messages[0])}", field=name) from None
    return terms


def _order_type(given: forms.Values) -> str | None:
    kite = forms.choice(given, "order_type", OUR_ORDER_TYPES)
    return None if kite is None else OUR_ORDER_TYPES[kite]


def _exchange(given: forms.Values) -> str | None:
    if given["exchange"].upper() in OTHER_EXCHANGES:
        message = f"{UNKNOWN_INSTRUMENT} This service has the shares of NSE and BSE."
        raise KiteRefusal("InputException", message, code="unknown_symbol")
    return forms.choice(given, "exchange", EXCHANGES)


def _product(given: forms.Values) -> str:
    kite = forms.choice(given, "product", (*OUR_PRODUCTS, *OTHER_PRODUCTS))
    if kite not in OUR_PRODUCTS:
        raise not_offered("product", OUR_PRODUCTS)
    return OUR_PRODUCTS[kite]


def _price(given: forms.Values, name: str) -> str | None:
    """Return a price as a text with two decimals; 0 means none."""
    price = forms.decimal(given, name)
    if not price:
        return None
    rounded = price.quantize(PAISA)
    if abs(price - rounded) > TOLERANCE:
        raise KiteRefusal("InputException", OFF_TICK.format(PAISA), code="price_off_tick")
    return str(rounded)


def _protection(given: forms.Values) -> str | None:
    """Return the market protection in percent; 0 means none."""
    percent = forms.signed(given, "market_protection")
    if not percent:
        return None
    if percent == AUTOMATIC:
        return str(AUTOMATIC_PERCENT)
    rounded = percent.quantize(PAISA)
    if not 0 < rounded <= MAX_PROTECTION:
        raise forms.invalid("market_protection")
    return str(rounded)
