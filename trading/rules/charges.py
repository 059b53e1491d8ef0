"""The charges of an order: brokerage, taxes and fees of Indian cash equity.

Source: the published list of charges of a retail discount broker, and the circulars of the exchanges and of SEBI,
as collected in the project's accounting rules; rates in force since 2026-04-01.
"""

from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal

from trading.rules.money import ZERO, rounded
from trading.rules.terms import Exchange, Product, Side

PERCENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of one product as shares of turnover, but for the cap, which is in rupees.

    A tax that only one side pays has the name of that side.
    """

    brokerage: Decimal
    brokerage_cap: Decimal
    buy_tax: Decimal
    sell_tax: Decimal
    stamp_duty_on_buy: Decimal


@dataclass(frozen=True, slots=True)
class Schedule:
    """All rates that are in force from a date until the next schedule's date."""

    effective_from: date
    products: dict[str, Rates]
    exchange_charge: dict[str, Decimal]
    regulatory_fee: Decimal
    gst: Decimal


def _percent(number: str) -> Decimal:
    return Decimal(number) * PERCENT


SCHEDULES = (
    Schedule(
        effective_from=date(2026, 4, 1),
        products={
            Product.DELIVERY: Rates(
                brokerage=_percent("0"),
                brokerage_cap=Decimal("0"),
                buy_tax=_percent("0.1"),
                sell_tax=_percent("0.1"),
                stamp_duty_on_buy=_percent("0.015"),
            ),
            Product.INTRADAY: Rates(
                brokerage=_percent("0.03"),
                brokerage_cap=Decimal("20.00"),
                buy_tax=_percent("0"),
                sell_tax=_percent("0.025"),
                stamp_duty_on_buy=_percent("0.003"),
            ),
        },
        exchange_charge={Exchange.NSE: _percent("0.00307"), Exchange.BSE: _percent("0.00375")},
        regulatory_fee=_percent("0.0001"),
        gst=_percent("18"),
    ),
)


@dataclass(frozen=True, slots=True)
class Charges:
    """The items of one order's charges in rupees, each rounded; only a square-off has the fee of one."""

    brokerage: Decimal
    transaction_tax: Decimal
    exchange_charge: Decimal
    regulatory_fee: Decimal
    stamp_duty: Decimal
    gst: Decimal
    square_off_fee: Decimal = ZERO

    def as_json(self) -> str:
        """Return the items by name as a JSON object with exact numbers."""
        items = ", ".join([f'"{name}": {getattr(self, name)}' for name in self._names])
        return "{" + items + "}"

    def as_dict(self) -> dict[str, Decimal]:
        """Return the items by name."""
        return {name: getattr(self, name) for name in self._names}

    @property
    def _names(self) -> tuple[str, ...]:
        return ALL_ITEMS if self.square_off_fee else ITEMS

    @property
    def total(self) -> Decimal:
        """Return the sum of the rounded items."""
        return (
            self.brokerage
            + self.transaction_tax
            + self.exchange_charge
            + self.regulatory_fee
            + self.stamp_duty
            + self.gst
            + self.square_off_fee
        )


ALL_ITEMS = tuple(item.name for item in fields(Charges))
ITEMS = ALL_ITEMS[:-1]


def have_same_rates(first: date, second: date) -> bool:
    """Return True if the same schedule is in force on two days."""
    return first == second or schedule_on(first) is schedule_on(second)


def schedule_on(day: date) -> Schedule:
    """Return the schedule in force on a day, or the first schedule before its date."""
    in_force = [schedule for schedule in SCHEDULES if schedule.effective_from <= day]
    return max(in_force, key=lambda schedule: schedule.effective_from, default=SCHEDULES[0])


def unrounded_charges(*, exchange: str, product: str, side: str, turnover: Decimal, on: date) -> Charges:
    """Return the charges on a turnover as charges_for does, none of them rounded."""
    return Charges(*_items(exchange, product, side, turnover, on))


def charges_for(*, exchange: str, product: str, side: str, turnover: Decimal, on: date) -> Charges:
    """Return an order's charges on its turnover (quantity × price, rupees) at the rates of a day."""
    return Charges(*map(rounded, _items(exchange, product, side, turnover, on)))


def _items(exchange: str, product: str, side: str, turnover: Decimal, on: date) -> tuple[Decimal, ...]:
    """Return the exact charges in the order of ITEMS."""
    schedule = schedule_on(on)
    rates = schedule.products[product]
    buys = side == Side.BUY
    brokerage = min(turnover * rates.brokerage, rates.brokerage_cap)
    exchange_charge = turnover * schedule.exchange_charge[exchange]
    regulatory_fee = turnover * schedule.regulatory_fee
    return (
        brokerage,
        turnover * (rates.buy_tax if buys else rates.sell_tax),
        exchange_charge,
        regulatory_fee,
        turnover * rates.stamp_duty_on_buy if buys else Decimal(0),
        (brokerage + exchange_charge + regulatory_fee) * schedule.gst,
    )
