"""Kite's words for the terms of this service, its numbers and its times."""

import base64
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

INDIA = timezone(timedelta(hours=5, minutes=30))

PRODUCTS = {"DELIVERY": "CNC", "INTRADAY": "MIS"}
ORDER_TYPES = {"MARKET": "MARKET", "LIMIT": "LIMIT", "STOP_LIMIT": "SL", "STOP_MARKET": "SL-M"}
# This service's words for Kite's.
OUR_PRODUCTS = {kite: ours for ours, kite in PRODUCTS.items()}
OUR_ORDER_TYPES = {kite: ours for ours, kite in ORDER_TYPES.items()}
# The names of this service that the texts of its refusals contain.
NAMES = PRODUCTS | {
    "STOP_LIMIT": "SL",
    "STOP_MARKET": "SL-M",
    "orderType": "order_type",
    "triggerPrice": "trigger_price",
    "validityMinutes": "validity_ttl",
    "marketProtection": "market_protection",
    "afterMarket": "the variety amo",
}
OUR_NAMES = re.compile(rf"\b({'|'.join(NAMES)})\b")
# Kite knows no order that lasts for days: its validities are DAY, IOC and TTL.
VALIDITIES = ("DAY", "IOC", "TTL")
FINAL_STATUSES = {
    "EXECUTED": "COMPLETE",
    "CANCELLED": "CANCELLED",
    "EXPIRED": "CANCELLED",
    "REJECTED": "REJECTED",
}
# The time from which a user's days begin is no part of the id: the last five bytes of a UUID of version 7 are random.
USER_ID_BYTES = 5


def number(value: Decimal | int | None) -> float:
    """Return an amount or a price as a JSON number, 0 for None."""
    return 0.0 if value is None else float(value)


def indian_time(moment: datetime | None) -> str | None:
    """Return a time in India, as 2026-01-31 09:15:00."""
    return None if moment is None else f"{moment.astimezone(INDIA):%Y-%m-%d %H:%M:%S}"


def indian_clock(moment: datetime | None) -> str | None:
    """Return a time of the day in India, as 09:15:00."""
    return None if moment is None else f"{moment.astimezone(INDIA):%H:%M:%S}"


def in_kites_names(text: str) -> str:
    """Return a text about an order with Kite's names of its terms."""
    return OUR_NAMES.sub(lambda name: NAMES[name[0]], text)


def kite_status(status: str, waiting_for: str | None = None) -> str:
    """Return Kite's word for the status of an order; `waiting_for` is the thing that a live order waits for."""
    if status in FINAL_STATUSES:
        return FINAL_STATUSES[status]
    return {"trigger": "TRIGGER PENDING", "session": "AMO REQ RECEIVED"}.get(waiting_for or "", "OPEN")


def user_id(account_id: UUID) -> str:
    """Return the short name of an account, such as TPK3VZQ7DA, which never changes."""
    return f"TP{base64.b32encode(account_id.bytes[-USER_ID_BYTES:]).decode()}"
