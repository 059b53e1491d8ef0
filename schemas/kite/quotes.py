"""Quotes in Kite's words, made of the row of a stock with its day's volume."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .words import indian_time, number

Row = Mapping[str, Any]
DEPTH = 5
NO_LEVEL = {"price": 0.0, "quantity": 0, "orders": 0}


def last_price(row: Row) -> dict[str, Any]:
    """Return the answer for a stock of GET /quote/ltp."""
    return {"instrument_token": row["instrument_token"], "last_price": number(row["last_price"])}


def day_prices(row: Row) -> dict[str, Any]:
    """Return the answer for a stock of GET /quote/ohlc; `close` is the close of the day before."""
    prices = {
        "open": number(row["open_price"]),
        "high": number(row["high_price"]),
        "low": number(row["low_price"]),
        "close": number(row["previous_close"]),
    }
    return last_price(row) | {"ohlc": prices}


def full_quote(row: Row) -> dict[str, Any]:
    """Return the answer for a stock of GET /quote; numbers that no feeder gives here are 0.

    There is one level of depth, of which the number of orders is not known: 1 stands for it. The time of the last trade
    is that of the last price if no feeder gives it.
    """
    return day_prices(row) | {
        "timestamp": indian_time(row["quoted_at"] or row["last_price_at"]),
        "last_trade_time": indian_time(row["newest_trade_at"] or row["last_price_at"]),
        "last_quantity": 0,
        "buy_quantity": row["bid_quantity"] or 0,
        "sell_quantity": row["ask_quantity"] or 0,
        "volume": row["volume"] or 0,
        "average_price": 0.0,
        "oi": 0,
        "oi_day_high": 0,
        "oi_day_low": 0,
        "net_change": number(net_change(row["last_price"], row["previous_close"])),
        "lower_circuit_limit": number(row["lower_circuit"]),
        "upper_circuit_limit": number(row["upper_circuit"]),
        "depth": {
            "buy": levels(row["bid_price"], row["bid_quantity"]),
            "sell": levels(row["ask_price"], row["ask_quantity"]),
        },
    }


def net_change(last: Decimal | None, previous_close: Decimal | None) -> Decimal | None:
    """Return the change since the close of the day before, or None if one of the prices is not known."""
    return None if last is None or previous_close is None else last - previous_close


def levels(price: Decimal | None, quantity: int | None) -> list[dict[str, Any]]:
    """Return the five levels of one side of the book, of which the best one is known at most."""
    best = NO_LEVEL if price is None else {"price": number(price), "quantity": quantity or 0, "orders": 1}
    return [best] + [NO_LEVEL] * (DEPTH - 1)
