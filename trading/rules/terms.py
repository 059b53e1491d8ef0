"""The words of the field, each as the database's CHECKs and the API spell it.

A member is its own text (StrEnum): it goes into SQL, JSON and comparisons as it is.
"""

from enum import StrEnum


class Exchange(StrEnum):
    """Where a stock is traded."""

    NSE = "NSE"
    BSE = "BSE"


class Side(StrEnum):
    """The direction of an order."""

    BUY = "BUY"
    SELL = "SELL"


class Product(StrEnum):
    """What an order's position is for: of one day on margin, or delivered and paid in full."""

    INTRADAY = "INTRADAY"
    DELIVERY = "DELIVERY"


class OrderType(StrEnum):
    """How an order's price is found."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"


class OrderStatus(StrEnum):
    """Where an order stands; docs/lifecycle.md draws the changes."""

    PENDING = "PENDING"
    EXECUTED = "EXECUTED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"

    @property
    def is_final(self) -> bool:
        """Return True if the order never changes again."""
        return self is not OrderStatus.PENDING


class AccountStatus(StrEnum):
    """Whether an account may trade."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"


class LedgerKind(StrEnum):
    """The reason of a ledger entry."""

    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    CHARGES = "CHARGES"
    CHARGES_REFUND = "CHARGES_REFUND"
    PROFIT = "PROFIT"
    LOSS = "LOSS"
    MARGIN_BLOCK = "MARGIN_BLOCK"
    MARGIN_RELEASE = "MARGIN_RELEASE"
