"""The terms of trading, each as the database's CHECKs and the API spell it.

A member is a string (StrEnum): it goes into SQL, JSON and comparisons as it is.
"""

from enum import StrEnum


class Exchange(StrEnum):
    """The exchange at which a stock is traded."""

    NSE = "NSE"
    BSE = "BSE"


class Side(StrEnum):
    """The direction of an order."""

    BUY = "BUY"
    SELL = "SELL"


class Product(StrEnum):
    """The kind of an order's position: INTRADAY on margin, DELIVERY paid in full."""

    INTRADAY = "INTRADAY"
    DELIVERY = "DELIVERY"


class OrderType(StrEnum):
    """The way to an order's price: LIMIT has its own, MARKET takes the last traded price."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"


class OrderStatus(StrEnum):
    """The status of an order; docs/lifecycle.md draws the changes."""

    PENDING = "PENDING"
    EXECUTED = "EXECUTED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"

    @property
    def is_final(self) -> bool:
        """Return True if an order with this status never changes again."""
        return self is not OrderStatus.PENDING


class AccountStatus(StrEnum):
    """The status of an account: a SUSPENDED account may not place, close or modify orders."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"


class LedgerKind(StrEnum):
    """The kind of a ledger entry."""

    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    CHARGES = "CHARGES"
    CHARGES_REFUND = "CHARGES_REFUND"
    PROFIT = "PROFIT"
    LOSS = "LOSS"
    MARGIN_BLOCK = "MARGIN_BLOCK"
    MARGIN_RELEASE = "MARGIN_RELEASE"
