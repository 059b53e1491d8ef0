"""Refusals of orders in the words of Kite Connect, those that need more than the code of a refusal."""

import contextlib
import re
from collections.abc import Iterator

from trading.rules.errors import NotFound, PriceOutsideBand

from . import forms
from .envelope import BEING_PROCESSED, KiteRefusal, refusal_of

NUMBER = re.compile(r"[1-9][0-9]{14}")
# Bots compare this text and the type with their own, and take the order for rejected.
UNKNOWN_ORDER = "Couldn't find that `order_id`."
TOO_OFTEN = "Maximum allowed order modifications exceeded."
OUTSIDE = "Your order price is {} than the current {} circuit limit of {}. Place an order within the daily range."
OUTSIDE_BY_TRIGGER = (
    "Trigger price for stoploss {} orders cannot be {} the {} circuit price. "
    "Please try placing the order with trigger price {} {}."
)


def order_number(text: str) -> int:
    """Return the number that an order_id means, or refuse."""
    if not NUMBER.fullmatch(text):
        raise order_not_found()
    return int(text)


def order_not_found() -> KiteRefusal:
    """Return the refusal of an order_id that no order of the day has."""
    return KiteRefusal("GeneralException", UNKNOWN_ORDER, 404)


def modified_too_late() -> KiteRefusal:
    """Return the refusal of a modification of an order that is final or about to be."""
    return KiteRefusal("InputException", BEING_PROCESSED.format("modified"), code="order_not_open")


def modified_too_often() -> KiteRefusal:
    """Return the refusal of one modification too many."""
    return KiteRefusal("InputException", TOO_OFTEN)


def wrong_variety(variety: str) -> KiteRefusal:
    """Return the refusal of a path with another variety than that of the order."""
    return KiteRefusal("InputException", f"Invalid `variety`. The variety of the order is {variety}.")


@contextlib.contextmanager
def refused_unknown() -> Iterator[None]:
    """Refuse an order that is not found in Kite's words."""
    try:
        yield
    except NotFound:
        raise order_not_found() from None


@contextlib.contextmanager
def refused_outside_band(given: forms.Values) -> Iterator[None]:
    """Refuse a price of the form that lies outside the circuits in Kite's words."""
    try:
        yield
    except PriceOutsideBand as refusal:
        raise _outside_band(refusal, given) from None


def _outside_band(refusal: PriceOutsideBand, given: forms.Values) -> KiteRefusal:
    lower, upper = refusal.details["lower_circuit"], refusal.details["upper_circuit"]
    is_trigger = refusal.details["field"] == "triggerPrice"
    price = forms.decimal(given, "trigger_price" if is_trigger else "price")
    if not price:  # a modification may leave the price as it is, and the circuits may have moved since
        return refusal_of(refusal.code, refusal.message)
    is_above = upper is not None and price > upper
    limit = upper if is_above else lower
    if is_trigger:
        words = ("buy", "above", "upper", "below", limit) if is_above else ("sell", "below", "lower", "above", limit)
        message = OUTSIDE_BY_TRIGGER.format(*words)
    else:
        message = OUTSIDE.format(*(("higher", "upper") if is_above else ("lower", "lower")), limit)
    return KiteRefusal("InputException", message, code="price_outside_band")
