"""Orders: place, list, read and cancel."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from flask import Response, current_app

from models.database import fetch_all, fetch_one, session
from schemas.orders import (
    OrderDetailSchema,
    OrderListSchema,
    OrderPageSchema,
    OrderRequestSchema,
    OrderSchema,
    PlacementSchema,
    PreviewSchema,
)
from schemas.pages import AccountChoiceSchema
from trading.cancellation import cancel_order
from trading.placement import OrderRequest, place_order
from trading.preview import preview_order

from .answers import answer, tagged_answer
from .auth import account_named, existing_account, requires
from .description import ETAG, IDEMPOTENCY_KEY, IF_NONE_MATCH, LOCATION, PREFER, described
from .dispatching import accepted
from .errors import not_found
from .idempotency import idempotency_key
from .observability import stopwatch, timed_placement
from .pagination import Keyset, fetch_page, read_moment, read_uuid
from .parsing import Blueprint
from .rate_limits import limited

blueprint = Blueprint("orders", __name__, url_prefix="/api/trading", description="Orders")

ORDER, ORDER_DETAIL, ORDER_PAGE = OrderSchema(), OrderDetailSchema(), OrderPageSchema()
PREVIEW = PreviewSchema()
NEWEST_FIRST = Keyset({"placed_at": read_moment, "id": read_uuid})


@blueprint.post("/orders")
@timed_placement
@requires("trade", "admin")
@limited
@blueprint.arguments(OrderRequestSchema())
@blueprint.response(200, PlacementSchema(), headers=LOCATION)
@blueprint.response(202, PlacementSchema(), headers=LOCATION)
@described(problems=(404, 409), headers=(IDEMPOTENCY_KEY, PREFER))
def place(body: dict[str, Any]) -> Response:
    """Place an order."""
    account_id = account_named(body.pop("account_id"))
    key, watch = idempotency_key(body), stopwatch()
    calendar = current_app.config["SETTINGS"].market_calendar
    with watch.step("place"):
        placement = place_order(account_id, OrderRequest(**body), calendar=calendar, watch=watch, idempotency_key=key)
    return accepted(placement)


@blueprint.post("/orders/preview")
@requires("trade", "read", "admin")
@blueprint.arguments(OrderRequestSchema())
@blueprint.response(200, PREVIEW)
@described(problems=(404,))
def preview(body: dict[str, Any]) -> Response:
    """Work out what an order would take, and place nothing."""
    account_id = account_named(body.pop("account_id"))
    calendar = current_app.config["SETTINGS"].market_calendar
    decision, available_margin, refusal = preview_order(account_id, OrderRequest(**body), calendar=calendar)
    row = {
        "price": decision.price,
        "margin": decision.margin,
        "charges": decision.charges.total,
        "charge_items": asdict(decision.charges),
        "closing_quantity": decision.closing_quantity,
        "opening_quantity": decision.opening_quantity,
        "available_margin": available_margin,
        "available_margin_after": available_margin - decision.margin - decision.charges.total,
        "refusal": refusal.code if refusal else None,
    }
    return answer(PREVIEW, row)


@blueprint.get("/orders")
@requires("read", "admin")
@blueprint.arguments(OrderListSchema(), location="query")
@blueprint.response(200, ORDER_PAGE)
def list_orders(query: dict[str, Any]) -> Response:
    """List orders, newest first."""
    with session():
        where = {
            "account_id = %s": existing_account(query["account_id"]),
            "status = %s": query["status"],
            "symbol = %s": query["symbol"],
            "side = %s": query["side"],
            "product = %s": query["product"],
            "placed_at >= %s": query["placed_from"],
            "placed_at < %s": query["placed_before"],
        }
        page = fetch_page(
            "SELECT * FROM trading_order", where, NEWEST_FIRST, limit=query["limit"], cursor=query["cursor"]
        )
    return answer(ORDER_PAGE, page)


@blueprint.get("/orders/<thing:order_id>")
@requires("read", "admin")
@blueprint.arguments(AccountChoiceSchema(), location="query")
@blueprint.response(200, ORDER_DETAIL, headers=ETAG)
@described(headers=(IF_NONE_MATCH,), responses={304: {"description": "The order is unchanged.", "headers": ETAG}})
def read(query: dict[str, Any], order_id: UUID) -> Response:
    """Read one order with its charges and its rows of the fund ledger."""
    with session():
        order = fetch_one(
            "SELECT * FROM trading_order WHERE id = %s AND account_id = %s",
            (order_id, account_named(query["account_id"])),
        )
        if order is None:
            raise not_found()
        order["transactions"] = fetch_all("SELECT * FROM fund_transaction WHERE order_id = %s ORDER BY id", (order_id,))
    return tagged_answer(ORDER_DETAIL, order)


@blueprint.delete("/orders/<thing:order_id>")
@requires("trade", "admin")
@blueprint.arguments(AccountChoiceSchema(), location="query")
@blueprint.response(200, ORDER)
@described(problems=(409,))
def cancel(query: dict[str, Any], order_id: UUID) -> Response:
    """Cancel a PENDING order; its margin and charges are given back."""
    return answer(ORDER, cancel_order(account_named(query["account_id"]), order_id))
