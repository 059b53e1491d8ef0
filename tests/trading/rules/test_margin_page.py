"""Every number of docs/margin-and-charges.md, computed by the rules."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from trading.rules import fills
from trading.rules.charges import PERCENT, SCHEDULES
from trading.rules.decision import OrderRequest, decide
from trading.rules.margin import MARGIN_RATES, margin_for
from trading.rules.money import ZERO

PAGE = (Path(__file__).parents[3] / "docs" / "margin-and-charges.md").read_text()
DAY = date(2026, 11, 27)
ORDER = re.compile(r"(?:(NSE|BSE) )?(?:(INTRADAY|DELIVERY) )?(BUY|SELL) (\d+) at ([\d.]+)")


def table(*heads):
    """Return the cells of the rows of the table with these heads."""
    (found,) = re.findall(rf"^\| {re.escape(' | '.join(heads))} \|\n\|[-:|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in found.splitlines()]


def request(text):
    exchange, product, side, quantity, price = ORDER.fullmatch(text).groups()
    return OrderRequest(
        exchange=exchange or "NSE",
        symbol="RELIANCE",
        side=side,
        quantity=int(quantity),
        order_type="LIMIT",
        price=Decimal(price),
        product=product or "INTRADAY",
    )


@pytest.mark.parametrize(("product", "text"), table("product", "margin of the part that opens"))
def test_the_rates_of_margin(product, text):
    assert text == f"{MARGIN_RATES[product] * 100:.0f} % of quantity × price"


@pytest.mark.parametrize(("text", "margin"), table("order", "margin"))
def test_the_margin_of_an_order(text, margin):
    assert str(decide(request(text), on=DAY).margin) == margin


FLIPS = table("INTRADAY position", "its margin", "order", "opens", "margin of that", "freed", "blocked")


@pytest.mark.parametrize(("position", "held_margin", "text", "opens", "opening", "freed", "blocked"), FLIPS)
def test_the_margin_beside_a_position(position, held_margin, text, opens, opening, freed, blocked):
    amount, _, word = position.partition(" ")
    held = {"none": 0}.get(amount) or int(amount if amount.isdigit() else 0) * (-1 if word == "sold" else 1)
    order = request(text)
    decision = decide(order, held=held, held_margin=Decimal(held_margin), on=DAY)
    assert (str(decision.opening_quantity), str(decision.margin)) == (opens, blocked)
    assert str(margin_for(order.product, order.price, decision.opening_quantity)) == opening
    before = fills.Holding(held, Decimal("100.00") * abs(held), Decimal(held_margin))
    closed = decision.closing_quantity
    after = fills.fill(
        before, side=order.side, product=order.product, quantity=closed, price=order.price, reserved_margin=ZERO
    )
    assert str(ZERO - after.margin_change if closed else ZERO) == freed


def rate(share):
    return f"{(share / PERCENT).normalize():f} %"


def test_the_rates_of_charges():
    (schedule,) = SCHEDULES
    assert f"since {schedule.effective_from}" in PAGE

    def row(item, name, share_of):
        return [item, f"`{name}`", *(share_of(schedule.products[product]) for product in ("DELIVERY", "INTRADAY"))]

    def brokerage(rates):
        return rate(rates.brokerage) + (f", at most {rates.brokerage_cap}" if rates.brokerage_cap else "")

    expected = [
        row("brokerage", "brokerage", brokerage),
        row("securities transaction tax, BUY", "transactionTax", lambda rates: rate(rates.buy_tax)),
        row("securities transaction tax, SELL", "transactionTax", lambda rates: rate(rates.sell_tax)),
        row("exchange charge, NSE", "exchangeCharge", lambda _: rate(schedule.exchange_charge["NSE"])),
        row("exchange charge, BSE", "exchangeCharge", lambda _: rate(schedule.exchange_charge["BSE"])),
        row("SEBI fee", "regulatoryFee", lambda _: rate(schedule.regulatory_fee)),
        row("stamp duty, BUY only", "stampDuty", lambda rates: rate(rates.stamp_duty_on_buy)),
        row("GST on brokerage, exchange charge and SEBI fee", "gst", lambda _: rate(schedule.gst)),
    ]
    assert table("item", "`chargeItems`", "DELIVERY", "INTRADAY") == expected


CHARGED = table("order", "brokerage", "tax", "exchange", "SEBI", "stamp", "GST", "total")


@pytest.mark.parametrize("row", CHARGED, ids=lambda row: row[0])
def test_the_charges_of_an_order(row):
    charges = decide(request(row[0]), on=DAY).charges
    assert [*(str(amount) for amount in charges.as_dict().values()), str(charges.total)] == row[1:]


def test_the_public_round_trips():
    totals = [Decimal(row[-1]) for row in CHARGED[-4:]]
    assert f"round trips, {totals[0] + totals[1]} and {totals[2] + totals[3]} together" in PAGE


class Account:
    """An account with one position, and the order that was placed last."""

    def __init__(self):
        self.balance, self.blocked, self.charged = Decimal("100000.00"), ZERO, ZERO
        self.holding, self.order, self.decision = fills.Holding(), None, None

    def take(self, step):
        """Do a step of the table, and return the entries that it writes."""
        verb, _, rest = step.partition(" ")
        return getattr(self, verb)(rest)

    def place(self, text):
        self.order = request(text)
        held = self.holding
        self.decision = decide(self.order, held=held.quantity, held_margin=held.blocked_margin, on=DAY)
        return self.margin(self.decision.margin) + self.cash("", "CHARGES", -self.decision.charges.total)

    def cancel(self, _):
        back = self.cash("CHARGES_REFUND", "", self.decision.charges.total)
        return self.margin(-self.decision.margin) + back

    def fill(self, text):
        price = Decimal(text.removeprefix("at "))
        assert price == self.order.price  # so that the charges are final
        terms = {"side": self.order.side, "product": self.order.product, "quantity": self.order.quantity}
        done = fills.fill(self.holding, **terms, price=price, reserved_margin=self.decision.margin)
        self.holding, self.charged = done.holding, self.charged + self.decision.charges.total
        return self.cash("PROFIT", "LOSS", done.profit) + self.margin(done.margin_change)

    def cash(self, gain, loss, amount):
        self.balance += amount
        return [f"{gain if amount > 0 else loss} {abs(amount)}"] if amount else []

    def margin(self, change):
        self.blocked += change
        return [f"{'MARGIN_BLOCK' if change > 0 else 'MARGIN_RELEASE'} {abs(change)}"] if change else []


def test_the_account_from_entry_to_entry():
    account = Account()
    for step, *shown in table("step", "entries", "balance", "blocked", "available"):
        entries = ", ".join(account.take(step))
        available = account.balance - account.blocked
        assert shown == [entries, str(account.balance), str(account.blocked), str(available)], step
    profit = account.balance - Decimal("100000.00")
    assert f"has won {profit}: 200.00 − 40.00, less\ncharges of {account.charged}." in PAGE
