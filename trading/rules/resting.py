"""A live order as the matching rules see it, and their verdict on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trading.rules.terms import LIMITS, STOPS, EndReason, FillRule, LimitFills, OrderType, Side, Validity, WaitingFor


@dataclass(frozen=True, slots=True)
class RestingOrder:
    """An order that a quote may fill or trigger; prices are in rupees.

    protection_price is the price at which a protected order rests, None until it does. opened_number is the stock's
    quote number when the order opened blind, without a usable quote.
    """

    side: str
    order_type: str
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    is_triggered: bool = False
    market_protection: Decimal | None = None
    protection_price: Decimal | None = None
    opened_number: int | None = None
    limit_fills: str = LimitFills.BOOK
    validity: str = Validity.DAY

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> "RestingOrder":
        """Return the order of an OrderRow."""
        return cls(
            side=row["side"],
            order_type=row["order_type"],
            price=row["price"],
            trigger_price=row["trigger_price"],
            is_triggered=row["triggered_at"] is not None,
            market_protection=row["market_protection"],
            protection_price=row["protection_price"],
            opened_number=row["opened_number"],
            limit_fills=row["limit_fills"],
            validity=row["validity"],
        )

    @property
    def buys(self) -> bool:
        """Return True if the order buys."""
        return self.side == Side.BUY

    @property
    def has_limit(self) -> bool:
        """Return True if the order has a limit of its own."""
        return self.order_type in LIMITS

    @property
    def waits_for_trigger(self) -> bool:
        """Return True if the order is a stop that has not been triggered."""
        return self.order_type in STOPS and not self.is_triggered


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one quote on one order.

    A fill_price of None: the order does not fill. The fields after triggers describe the order as it then rests; they
    are None for an order that fills or ends. triggers is True if the order's trigger fires now.
    """

    fill_price: Decimal | None = None
    rule: FillRule | None = None
    match_class: int = 1
    triggers: bool = False
    watch_price: Decimal | None = None
    watch_trigger: Decimal | None = None
    waiting_for: WaitingFor | None = None
    protection_price: Decimal | None = None
    opened_number: int | None = None
    end_reason: EndReason | None = None

    @property
    def fills(self) -> bool:
        """Return True if the order fills."""
        return self.fill_price is not None

    def ends_with_session(self, order: RestingOrder) -> bool:
        """Return True for a stop that takes the next quote's price: whatever its validity, it ends with the session.

        A MARKET order has its end since its placement.
        """
        takes_any_price = self.waiting_for == WaitingFor.QUOTE and self.watch_price is not None
        return takes_any_price and order.order_type == OrderType.STOP_MARKET

    def is_news_for(self, order: RestingOrder) -> bool:
        """Return True if a quote changes the order: it fills, triggers, or rests at its protection price from now on.

        Then the quote's transaction writes the verdict of on_quote; otherwise it leaves the row as it is.
        """
        is_protected_anew = self.protection_price is not None and self.protection_price != order.protection_price
        return self.fills or self.triggers or is_protected_anew
