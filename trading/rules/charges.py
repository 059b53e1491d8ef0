"""What an order costs: brokerage, taxes and fees of Indian cash equity.

Source: a retail discount broker's published list of charges and the exchanges' and SEBI's circulars,
as collected in the project's accounting rules; rates in force since 2026-04-01.
"""

from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal

from trading.rules.money import rounded

PERCENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of turnover for one product; a tax that one side alone pays is named for that side."""

    brokerage: Decimal
    brokerage_cap: Decimal
    buy_tax: Decimal
    sell_tax: Decimal
    stamp_duty_on_buy: Decimal


@dataclass(frozen=True, slots=True)
class Schedule:
    """All rates that hold from a date on, until the next schedule's date."""

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
            "DELIVERY": Rates(
                brokerage=_percent("0"),
                brokerage_cap=Decimal("0"),
                buy_tax=_percent("0.1"),
                sell_tax=_percent("0.1"),
                stamp_duty_on_buy=_percent("0.015"),
            ),
            "INTRADAY": Rates(
                brokerage=_percent("0.03"),
                brokerage_cap=Decimal("20.00"),
                buy_tax=_percent("0"),
                sell_tax=_percent("0.025"),
                stamp_duty_on_buy=_percent("0.003"),
            ),
        },
        exchange_charge={"NSE": _percent("0.00307"), "BSE": _percent("0.00375")},
        regulatory_fee=_percent("0.0001"),
        gst=_percent("18"),
    ),
)


@dataclass(frozen=True, slots=True)
class Charges:
    """The parts of one order's charges in rupees, each rounded."""

    brokerage: Decimal
    transaction_tax: Decimal
    exchange_charge: Decimal
    regulatory_fee: Decimal
    stamp_duty: Decimal
    gst: Decimal

    def as_json(self) -> str:
        """Return the parts by name as a JSON object whose numbers are exact."""
        parts = ", ".join(f'"{name}": {amount}' for name, amount in asdict(self).items())
        return "{" + parts + "}"

    @property
    def total(self) -> Decimal:
        """The sum of the rounded parts."""
        return (
            self.brokerage
            + self.transaction_tax
            + self.exchange_charge
            + self.regulatory_fee
            + self.stamp_duty
            + self.gst
        )


def schedule_on(day: date) -> Schedule:
    """Return the schedule in force on a day; before the first one, the first."""
    in_force = [schedule for schedule in SCHEDULES if schedule.effective_from <= day]
    return max(in_force, key=lambda schedule: schedule.effective_from, default=SCHEDULES[0])


def charges_for(*, exchange: str, product: str, side: str, turnover: Decimal, on: date) -> Charges:
    """Compute an order's charges from its turnover (quantity × price, rupees) by the rates of a day."""
    schedule = schedule_on(on)
    rates = schedule.products[product]
    buys = side == "BUY"
    brokerage = min(turnover * rates.brokerage, rates.brokerage_cap)
    exchange_charge = turnover * schedule.exchange_charge[exchange]
    regulatory_fee = turnover * schedule.regulatory_fee
    return Charges(
        brokerage=rounded(brokerage),
        transaction_tax=rounded(turnover * (rates.buy_tax if buys else rates.sell_tax)),
        exchange_charge=rounded(exchange_charge),
        regulatory_fee=rounded(regulatory_fee),
        stamp_duty=rounded(turnover * rates.stamp_duty_on_buy) if buys else rounded(Decimal(0)),
        gst=rounded((brokerage + exchange_charge + regulatory_fee) * schedule.gst),
    )
