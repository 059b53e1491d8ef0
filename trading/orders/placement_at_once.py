"""Place a common order in one statement: a LIMIT order, in a market that is always open, that only opens."""

from runtime import market_clock
from runtime.timing import stopwatch
from trading.orders.placement_statements import write_order_at_once
from trading.orders.placement_types import Placement, PlacementContext
from trading.rules.decision import decide
from trading.rules.expiry import expires_with
from trading.rules.order_sessions import session_for
from trading.rules.sessions import indian_day
from trading.rules.terms import FillModel, OrderType, Product, SessionClass


def place_at_once(context: PlacementContext) -> Placement | None:
    """Place an order in one statement; return None, with nothing done, if it has to be placed in steps.

    The margin, the charges and the time of expiry are computed here beforehand. The database checks that the order only
    opens, that its stock allows it, that the account covers it, and that this process computed for the right day. It
    knows the account's fill model, and keeps the time of expiry only for QUOTES.
    """
    request = context.request
    if request.order_type != OrderType.LIMIT or request.trigger_price is not None or not _is_for_now(context):
        return None
    with stopwatch().step("margin"):
        now = market_clock.now()
        today = indian_day(now)
        decision = decide(request, on=today)
        session = session_for(None, SessionClass.NORMAL, now)
        ends_at = expires_with(request, session, fill_model=FillModel.QUOTES)
    order = write_order_at_once(context, decision, today, ends_at)
    return None if order is None else Placement(order, is_replay=False)


def _is_for_now(context: PlacementContext) -> bool:
    """Return True if nothing about a session has to be judged: neither its hours nor its square-off."""
    if context.calendar is not None or context.request.after_market:
        return False
    return context.fills.square_off_time is None or context.request.product != Product.INTRADAY
