"""The price that an order's margin and charges are reserved at."""

from decimal import Decimal
from typing import Protocol

from trading.rules.errors import NoPrice
from trading.rules.quotes import Quote
from trading.rules.terms import OrderType, Side
from trading.rules.ticks import protection_cap


class PricedOrder(Protocol):
    """The terms of an order that its price follows from; an OrderRequest and a RestingOrder have them."""

    @property
    def side(self) -> str: ...
    @property
    def order_type(self) -> str: ...
    @property
    def price(self) -> Decimal | None: ...
    @property
    def trigger_price(self) -> Decimal | None: ...
    @property
    def market_protection(self) -> Decimal | None: ...


def assumed_price(order: PricedOrder, quote: Quote | None, *, opens: bool) -> Decimal:
    """Return the price in rupees that an order's margin and charges are reserved at; raises NoPrice.

    quote is the stock's present one, usable or not, None for an unknown stock. opens is True if the order opens
    anything, flips included: a SELL that opens may fill above its limit and then needs more margin.
    """
    opens_short = opens and order.side == Side.SELL
    match order.order_type:
        case OrderType.LIMIT:
            return _highest(order.price, quote.eff_bid if quote and opens_short else None)
        case OrderType.STOP_LIMIT:
            return _highest(order.price, order.trigger_price if opens_short else None)
        case OrderType.STOP_MARKET:
            return _highest(_protected(order, order.trigger_price, quote))
    return _market_price(order, quote)


def _market_price(order: PricedOrder, quote: Quote | None) -> Decimal:
    if quote is None:
        raise NoPrice
    if order.market_protection is not None and quote.last is not None:
        return _highest(_protected(order, quote.last, quote))
    side = quote.eff_ask if order.side == Side.BUY else quote.eff_bid
    return _highest(quote.last if side is None else side)


def _protected(order: PricedOrder, base: Decimal | None, quote: Quote | None) -> Decimal | None:
    if base is None or order.market_protection is None:
        return base
    return protection_cap(order.side, base, order.market_protection, quote.tick_size if quote else None)


def _highest(*prices: Decimal | None) -> Decimal:
    known = [price for price in prices if price is not None]
    if not known:
        raise NoPrice
    return max(known)
