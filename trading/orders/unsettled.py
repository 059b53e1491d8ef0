"""The shares that a DELIVERY sale may not take yet, where ALLOW_T1_SALES is off."""

from dataclasses import replace
from uuid import UUID

from config import settings
from models.database import fetch_one
from models.rows import PositionRow
from trading.market.trading_days import trading_days
from trading.orders.placement_types import PlacementState
from trading.rules.decision import OrderRequest
from trading.rules.sessions import indian_day
from trading.rules.settlement import Buckets, rolled
from trading.rules.terms import Product, Side

POSITION = "SELECT * FROM position WHERE account_id = %s AND stock_id = %s AND product = %s"


def unsettled_promised(account_id: UUID, request: OrderRequest, state: PlacementState) -> PlacementState:
    """Return the facts with the shares that may not be sold as promised to others; by default every share may be."""
    is_sale = request.product == Product.DELIVERY and request.side == Side.SELL
    if settings().allow_t1_sales or not is_sale or not state.held:
        return state
    row = fetch_one(POSITION, (account_id, state.stock_id, request.product), PositionRow)
    assert row is not None
    today = indian_day(state.read_at)
    buckets = rolled(Buckets.of_row(row, today), today, trading_days(settings().market_calendar))
    return replace(state, promised=state.promised + buckets.unsettled)
