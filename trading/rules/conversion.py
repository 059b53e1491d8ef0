"""The conversion of bought shares between INTRADAY and DELIVERY: quantity, cost and margin move, nothing is charged."""

from dataclasses import dataclass, replace
from decimal import Decimal

from trading.rules.fills import Holding
from trading.rules.margin import MARGIN_RATES
from trading.rules.money import proportion, rounded
from trading.rules.settlement import Buckets, sellable
from trading.rules.terms import Product


@dataclass(frozen=True, slots=True)
class Conversion:
    """Both positions after a conversion, the cost that has moved, and the change of the account's blocked margin."""

    source: Holding
    target: Holding
    cost: Decimal
    margin_change: Decimal


def other_product(product: str) -> Product:
    """Return the product that a position of a product is converted to."""
    return Product.DELIVERY if product == Product.INTRADAY else Product.INTRADAY


def convertible(
    source: Holding, target: Holding, buckets: Buckets | None, *, promised: int, allow_t1_sales: bool
) -> int:
    """Return the quantity that may be converted; settlement buckets are those of a DELIVERY source.

    Shorts are not converted, nor into shorts. A DELIVERY gives only what was bought today. promised is the part that
    live orders will sell.
    """
    if source.quantity <= 0 or target.quantity < 0:
        return 0
    if buckets is None:
        return max(0, source.quantity - promised)
    return max(0, min(buckets.today, sellable(buckets, allow_t1_sales=allow_t1_sales) - promised))


def convert(source: Holding, target: Holding, quantity: int, to_product: str) -> Conversion:
    """Return the conversion of a quantity at its share of the source's cost."""
    cost = proportion(source.cost, quantity, source.quantity)
    released = proportion(source.blocked_margin, quantity, source.quantity)
    needed = rounded(MARGIN_RATES[to_product] * cost)
    return Conversion(
        source=replace(
            source,
            quantity=source.quantity - quantity,
            cost=source.cost - cost,
            blocked_margin=source.blocked_margin - released,
        ),
        target=replace(
            target,
            quantity=target.quantity + quantity,
            cost=target.cost + cost,
            blocked_margin=target.blocked_margin + needed,
        ),
        cost=cost,
        margin_change=needed - released,
    )
