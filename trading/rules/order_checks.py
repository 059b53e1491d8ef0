"""The checks of an order against its stock, at placement and at modification."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from trading.rules.decision import OrderRequest
from trading.rules.errors import (
    IntradayNotAllowed,
    NoPrice,
    NotSimulated,
    PriceOffTick,
    PriceOutsideBand,
    QuantityOffLot,
    TriggerBeyondPrice,
    TriggerOnWrongSide,
)
from trading.rules.terms import STOPS, FillModel, OrderType, Product, Side, Validity
from trading.rules.ticks import ceiling_to_tick, floor_to_tick


@dataclass(frozen=True, slots=True)
class StockFacts:
    """The facts of a stock that an order is checked against, None where unknown; the circuits only if they hold."""

    last_price: Decimal | None = None
    tick_size: Decimal | None = None
    lot_size: int | None = None
    allows_intraday: bool = True
    lower_circuit: Decimal | None = None
    upper_circuit: Decimal | None = None

    @classmethod
    def of_row(cls, row: Mapping[str, Any], *, day: date | None) -> "StockFacts":
        """Return the facts of a StockRow on a session day."""
        holds = day is not None and row["circuit_day"] == day
        return cls(
            last_price=row["last_price"],
            tick_size=row["tick_size"],
            lot_size=row["lot_size"],
            allows_intraday=row["allows_intraday"],
            lower_circuit=row["lower_circuit"] if holds else None,
            upper_circuit=row["upper_circuit"] if holds else None,
        )


def check_fill_model(request: OrderRequest, fill_model: str) -> None:
    """Refuse terms that a fill model does not simulate; raises NotSimulated."""
    if fill_model != FillModel.IMMEDIATE:
        return
    asked = {
        "afterMarket": request.after_market,
        "orderType": request.order_type in STOPS,
        "triggerPrice": request.trigger_price is not None,
        "validity": request.validity != Validity.DAY,
        "marketProtection": request.market_protection is not None,
    }
    fields = [name for name, is_asked in asked.items() if is_asked]
    if fields:
        raise NotSimulated(fields=fields)


def check_order(
    request: OrderRequest,
    stock: StockFacts,
    *,
    fill_model: str,
    is_triggered: bool = False,
    only_closes: bool = False,
) -> None:
    """Refuse an order that its stock or its fill model does not allow.

    An IMMEDIATE order is checked by check_fill_model alone. is_triggered is True for a stop whose trigger has fired:
    its trigger is not judged again. An order that only closes passes the checks that would lock its holder in.

    Raises NotSimulated, IntradayNotAllowed, QuantityOffLot, PriceOffTick, TriggerBeyondPrice, NoPrice,
    TriggerOnWrongSide or PriceOutsideBand, in this order.
    """
    check_fill_model(request, fill_model)
    if fill_model == FillModel.IMMEDIATE:
        return
    if not only_closes:
        _check_product_and_lot(request, stock)
    prices = _prices_of(request, is_triggered)
    _check_ticks(prices, stock.tick_size)
    if not is_triggered:
        _check_trigger_and_price(request)
    _check_last_price(request, stock.last_price, is_triggered)
    _check_band(prices, stock)


def _check_product_and_lot(request: OrderRequest, stock: StockFacts) -> None:
    if request.product == Product.INTRADAY and not stock.allows_intraday:
        raise IntradayNotAllowed
    if stock.lot_size is not None and request.quantity % stock.lot_size:
        raise QuantityOffLot(lot_size=stock.lot_size)


def _prices_of(request: OrderRequest, is_triggered: bool) -> dict[str, Decimal]:
    """Return the prices of an order that still count, by the names of their fields."""
    prices = {"price": request.price, "triggerPrice": None if is_triggered else request.trigger_price}
    return {field: price for field, price in prices.items() if price is not None}


def _check_ticks(prices: Mapping[str, Decimal], tick_size: Decimal | None) -> None:
    if tick_size is None:
        return
    for field, price in prices.items():
        if price % tick_size:
            lower = floor_to_tick(price, tick_size)
            upper = ceiling_to_tick(price, tick_size)
            raise PriceOffTick(field=field, tick_size=tick_size, lower_price=lower or None, upper_price=upper)


def _check_trigger_and_price(request: OrderRequest) -> None:
    trigger, price = request.trigger_price, request.price
    if request.order_type != OrderType.STOP_LIMIT or trigger is None or price is None:
        return
    if trigger > price if request.side == Side.BUY else trigger < price:
        raise TriggerBeyondPrice(trigger_price=trigger, price=price)


def _check_last_price(request: OrderRequest, last_price: Decimal | None, is_triggered: bool) -> None:
    if last_price is None:
        if request.order_type != OrderType.LIMIT:
            raise NoPrice
        return
    trigger = request.trigger_price
    if trigger is None or is_triggered:
        return
    if trigger <= last_price if request.side == Side.BUY else trigger >= last_price:
        raise TriggerOnWrongSide(trigger_price=trigger, last_price=last_price)


def _check_band(prices: Mapping[str, Decimal], stock: StockFacts) -> None:
    lower, upper = stock.lower_circuit, stock.upper_circuit
    for field, price in prices.items():
        if (lower is not None and price < lower) or (upper is not None and price > upper):
            raise PriceOutsideBand(field=field, lower_circuit=lower, upper_circuit=upper)
