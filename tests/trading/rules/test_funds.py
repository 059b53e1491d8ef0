"""The money of an account as brokers show it; the numbers are those of Kite Connect's documentation."""

from decimal import Decimal

from trading.rules.funds import Funds
from trading.rules.money import ZERO

OPENING, NET = Decimal("245431.60"), Decimal("99725.05")


def funds(deposited: Decimal = ZERO, withdrawn: Decimal = ZERO) -> Funds:
    """Return funds that opened with OPENING, of which NET is available."""
    return Funds(OPENING, deposited, withdrawn, NET, ZERO, ZERO, ZERO, ZERO)


def test_the_documented_example() -> None:
    assert (funds().cash, funds().debits) == (OPENING, Decimal("145706.55"))


def test_payments_of_the_day_are_cash_and_not_used() -> None:
    found = funds(Decimal("1000.00"), Decimal("300.00"))
    assert (found.cash, found.debits) == (Decimal("246131.60"), Decimal("146406.55"))
