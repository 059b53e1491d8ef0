"""Kite's funds, margins and charges (Kite Connect 3, user and margins, read in November 2026)."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from .words import ORDER_TYPES, PRODUCTS, number

AVAILABLE = ("adhoc_margin", "cash", "opening_balance", "live_balance", "collateral", "intraday_payin")
UTILISED = (
    "debits",
    "exposure",
    "m2m_realised",
    "m2m_unrealised",
    "option_premium",
    "payout",
    "span",
    "holding_sales",
    "turnover",
    "liquid_collateral",
    "stock_collateral",
    "delivery",
)
# The items of charges, by Kite's names; GST is apart.
ITEMS = {
    "transaction_tax": "transaction_tax",
    "exchange_turnover_charge": "exchange_charge",
    "sebi_turnover_charge": "regulatory_fee",
    "brokerage": "brokerage",
    "stamp_duty": "stamp_duty",
}


def funds_of(funds: Any) -> dict[str, Any]:
    """Return the money for equity; `funds` are Funds of the rules of trading.

    Nothing is blocked for the sale of a holding, so that `delivery` is 0.
    """
    available = {
        "cash": number(funds.cash),
        "opening_balance": number(funds.opening),
        "live_balance": number(funds.available),
        "intraday_payin": number(funds.deposited),
    }
    utilised = {
        "debits": number(funds.debits),
        "exposure": number(funds.blocked),
        "m2m_realised": number(funds.realized),
        "m2m_unrealised": number(funds.unrealized),
        "payout": number(funds.withdrawn),
        "holding_sales": number(funds.holding_sales),
    }
    return {
        "enabled": True,
        "net": number(funds.available),
        "available": dict.fromkeys(AVAILABLE, 0) | available,
        "utilised": dict.fromkeys(UTILISED, 0) | utilised,
    }


def no_funds() -> dict[str, Any]:
    """Return the money for commodities, which are not traded here."""
    return {
        "enabled": False,
        "net": 0,
        "available": dict.fromkeys(AVAILABLE, 0),
        "utilised": dict.fromkeys(UTILISED, 0),
    }


def margin_of(margin: Any) -> dict[str, Any]:
    """Return the margin of an order; `margin` is an OrderMargin of the rules of trading."""
    return _margin(
        "equity",
        margin.order.symbol,
        margin.order.exchange,
        number(margin.margin),
        int(margin.leverage),
        charges_of([margin.charges]),
    )


def basket_of(margins: Sequence[Any], initial: Decimal, final: Decimal) -> dict[str, Any]:
    """Return the margin of orders together: the sum of their margins, and the margin after they close each other."""
    nothing = charges_of([])
    return {
        "initial": _margin("", "", "", number(initial), 0, nothing),
        "final": _margin("", "", "", number(final), 0, nothing),
        "orders": [margin_of(margin) for margin in margins],
        "charges": charges_of([margin.charges for margin in margins]),
    }


def note_of(margin: Any, variety: str) -> dict[str, Any]:
    """Return the charges of an order at its average price; `margin` is an OrderMargin of the rules of trading."""
    order = margin.order
    return {
        "transaction_type": order.side,
        "tradingsymbol": order.symbol,
        "exchange": order.exchange,
        "variety": variety,
        "product": PRODUCTS[order.product],
        "order_type": ORDER_TYPES[order.order_type],
        "quantity": order.quantity,
        "price": number(margin.price),
        "charges": charges_of([margin.charges]),
    }


def charges_of(charges: Sequence[Any]) -> dict[str, Any]:
    """Return the sums of charges, unrounded; they are Charges of the rules of trading."""
    gst = number(_sum(one.gst for one in charges))
    return {
        **{name: number(_sum(getattr(one, item) for one in charges)) for name, item in ITEMS.items()},
        "transaction_tax_type": "stt" if charges else "",
        "gst": {"igst": gst, "cgst": 0, "sgst": 0, "total": gst},
        "total": number(_sum(one.total for one in charges)),
    }


def _margin(
    kind: str, symbol: str, exchange: str, amount: float, leverage: int, charges: dict[str, Any]
) -> dict[str, Any]:
    """Return a margin, which is all of the kind `var`: span, exposure and premium are those of derivatives."""
    return {
        "type": kind,
        "tradingsymbol": symbol,
        "exchange": exchange,
        "span": 0,
        "exposure": 0,
        "option_premium": 0,
        "additional": 0,
        "bo": 0,
        "cash": 0,
        "var": amount,
        "pnl": {"realised": 0, "unrealised": 0},
        "leverage": leverage,
        "charges": charges,
        "total": amount,
    }


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))
