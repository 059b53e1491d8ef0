"""Kite's positions and holdings (Kite Connect 3, portfolio, read in November 2026)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .words import PRODUCTS, number

Row = Mapping[str, Any]  # of a position, with facts of its stock

# This service lends no money for shares, and holds none as collateral.
NO_MTF = {"quantity": 0, "used_quantity": 0, "average_price": 0, "value": 0, "initial_margin": 0}


def position_of(row: Row, position: Any) -> dict[str, Any]:
    """Return a position of a day; `position` is a DayPosition of the rules of trading."""
    day = position.figures
    return {
        **_stock(row),
        "product": PRODUCTS[row["product"]],
        "quantity": position.quantity,
        "overnight_quantity": position.overnight_quantity,
        "multiplier": 1,
        "average_price": number(position.average_price),
        "close_price": number(position.prices.close),
        "last_price": number(position.last_price),
        "value": number(position.value),
        "pnl": number(position.pnl),
        "m2m": number(position.m2m),
        # Kite's unrealised profit contains the realised one, which is 0 in all of its examples.
        "unrealised": number(position.pnl),
        "realised": 0,
        **_side("buy", position.buy_quantity, position.buy_value),
        "buy_m2m": number(position.buy_m2m),
        **_side("sell", position.sell_quantity, position.sell_value),
        "sell_m2m": number(position.sell_m2m),
        **_side("day_buy", day.buy_quantity, day.buy_value),
        **_side("day_sell", day.sell_quantity, day.sell_value),
    }


def holding_of(row: Row, holding: Any) -> dict[str, Any]:
    """Return a holding; `holding` is a CarriedHolding of the rules of trading, which needs no authorisation."""
    return {
        **_stock(row),
        "isin": row["isin"] or "",
        "product": PRODUCTS[row["product"]],
        "price": 0,
        "quantity": holding.quantity,
        "used_quantity": holding.used_quantity,
        "t1_quantity": holding.t1_quantity,
        "realised_quantity": holding.quantity,
        "authorised_quantity": 0,
        "authorised_date": f"{row['read_on']} 00:00:00",
        "authorisation": {},
        "opening_quantity": holding.opening_quantity,
        "short_quantity": 0,
        "collateral_quantity": 0,
        "collateral_type": "",
        "discrepancy": False,
        "average_price": number(holding.average_price),
        "last_price": number(holding.last_price),
        "close_price": number(holding.prices.close),
        "pnl": number(holding.pnl),
        "day_change": number(holding.day_change),
        "day_change_percentage": number(holding.day_change_percentage),
        "mtf": dict(NO_MTF),
    }


def compact_holding_of(row: Row, holding: Any) -> dict[str, Any]:
    """Return the quantities of a holding."""
    return {**_stock(row), "t1_quantity": holding.t1_quantity, "quantity": holding.quantity}


def summary_of(summary: Any) -> dict[str, float]:
    """Return the sums of the holdings; `summary` is a HoldingsSummary of the rules of trading."""
    return {
        "total_pnl": number(summary.pnl),
        "total_pnl_percent": number(summary.pnl_percentage),
        "today_pnl": number(summary.day_change),
        "today_pnl_percent": number(summary.day_percentage),
        "invested_amount": number(summary.invested),
        "current_value": number(summary.value),
    }


def _stock(row: Row) -> dict[str, Any]:
    return {
        "tradingsymbol": row["symbol"],
        "exchange": row["exchange"],
        "instrument_token": row["instrument_token"],
    }


def _side(name: str, quantity: int, value: Decimal) -> dict[str, float]:
    """Return the quantity, the average price and the value of the trades of one side."""
    price = value / quantity if quantity else None
    return {f"{name}_quantity": quantity, f"{name}_price": number(price), f"{name}_value": number(value)}
