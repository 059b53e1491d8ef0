"""The charges of an executed order: those of the executed turnover, by the rates of the day of execution."""

from dataclasses import replace
from decimal import Decimal

from models.rows import OrderRow
from trading.rules.charges import Charges, charges_for, have_same_rates
from trading.rules.sessions import indian_day
from trading.rules.terms import FillModel


def final_charges(order: OrderRow, price: Decimal) -> Charges | None:
    """Return the charges of an order that executes at a price, None if they are those that were debited."""
    executed_on = indian_day(order["claimed_at"])
    # The plain order: its placement and its modifications assumed this price. On quotes a placement may have assumed
    # another price than the limit, and a MARKET order does not tell the price that was assumed for it.
    if order["fill_model"] == FillModel.IMMEDIATE and order["price"] == price:
        placed_on = indian_day(order["placed_at"])
        if have_same_rates(placed_on, executed_on):
            return None
    charges = charges_for(
        exchange=order["exchange"],
        product=order["product"],
        side=order["side"],
        turnover=price * order["quantity"],
        on=executed_on,
    )
    fee = order["charge_items"].get("square_off_fee")
    return charges if fee is None else replace(charges, square_off_fee=fee)
