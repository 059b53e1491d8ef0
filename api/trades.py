"""Trades: list those of an account and of an order."""

from typing import Any
from uuid import UUID

from flask import Response

from models.database import session
from schemas.pages import AccountChoiceSchema
from schemas.trades import OrderTradesSchema, TradeListSchema, TradePageSchema
from trading.orders.trades import TRADES, trades_of_order

from .http.authentication import existing_account_session, requested_account_id, requires
from .http.exports import Listing, Query, exported
from .http.pagination import Keyset, read_timestamp, read_uuid
from .http.parsing import Blueprint
from .http.responses import respond

blueprint = Blueprint("trades", __name__, url_prefix="/api/trading", description="Trades")

TRADE_PAGE, ORDER_TRADES = TradePageSchema(), OrderTradesSchema()
TRADE_LIST = Listing("trades", Keyset({"executed_at": read_timestamp, "id": read_uuid}), TRADE_PAGE)


@blueprint.get("/trades")
@requires("read", "admin")
@blueprint.arguments(TradeListSchema(), location="query")
@blueprint.response(200, TRADE_PAGE)
@exported
def list_trades(query: dict[str, Any]) -> Response:
    """List trades, newest first.

    An order fills whole, so that it has one trade once it is EXECUTED. With `Accept: text/csv` the response has all
    trades, without `limit` and `cursor`.
    """
    with existing_account_session(query["account_id"]) as account_id:
        where = {
            "status = %s": "EXECUTED",
            "account_id = %s": account_id,
            "exchange = %s": query["exchange"],
            "symbol = %s": query["symbol"],
            "side = %s": query["side"],
            "product = %s": query["product"],
            "tag = %s": query["tag"],
            "executed_at >= %s": query["traded_from"],
            "executed_at < %s": query["traded_before"],
        }
        found = TRADE_LIST.find(Query(TRADES, where), query)
    return TRADE_LIST.respond(account_id, found)


@blueprint.get("/orders/<opaque_uuid:order_id>/trades")
@requires("read", "admin")
@blueprint.arguments(AccountChoiceSchema(), location="query")
@blueprint.response(200, ORDER_TRADES)
def list_trades_of_order(query: dict[str, Any], order_id: UUID) -> Response:
    """List the trades of an order.

    The list is empty until the order is EXECUTED, and has one trade from then on.
    """
    account_id = requested_account_id(query["account_id"])
    with session():
        trades = trades_of_order(account_id, order_id)
    return respond(ORDER_TRADES, {"data": trades})
