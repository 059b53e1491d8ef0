"""Place a common order in one statement: an order with a price, in a market that is always open, that only opens."""

from datetime import datetime

from runtime.timing import stopwatch
from trading.orders.placement_statements import write_order_at_once
from trading.orders.placement_types import Placement, PlacementContext
from trading.rules.decision import decide
from trading.rules.sessions import INDIAN_TIME


def place_at_once(context: PlacementContext) -> Placement | None:
    """Place an order in one statement; return None, with nothing done, if it has to be placed in steps.

    The margin and the charges are computed here beforehand. The database checks that the order only opens, that the
    account covers it, and that this process computed the charges for the right day.
    """
    if context.request.price is None or context.calendar is not None:
        return None
    with stopwatch().step("margin"):
        today = datetime.now(INDIAN_TIME).date()
        decision = decide(context.request, on=today)
    order = write_order_at_once(context, decision, today)
    return None if order is None else Placement(order, is_replay=False)
