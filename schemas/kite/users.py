"""Kite's profile of a user, and its session."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from schemas.orders import EXCHANGES

from .words import ORDER_TYPES, PRODUCTS, indian_time, user_id

BROKER = "ZERODHA"


def profile_of(account: Mapping[str, Any]) -> dict[str, Any]:
    """Return the profile of an account's owner."""
    words = account["name"].split()
    return {
        "user_id": user_id(account["id"]),
        "user_type": "individual",
        "email": f"{user_id(account['id']).lower()}@tradepost.invalid",
        "user_name": account["name"],
        "user_shortname": words[0] if words else account["name"],
        "broker": BROKER,
        "exchanges": list(EXCHANGES),
        "products": list(PRODUCTS.values()),
        "order_types": list(ORDER_TYPES.values()),
        "avatar_url": None,
        "meta": {"demat_consent": "consent"},
    }


def session_of(account: Mapping[str, Any], api_key: str, token: str, now: datetime) -> dict[str, Any]:
    """Return the session of an account's owner, of which the token is the access_token."""
    return {
        **profile_of(account),
        "api_key": api_key,
        "access_token": token,
        "public_token": "",
        "enctoken": "",
        "refresh_token": token,
        "silo": "",
        "login_time": indian_time(now),
    }
