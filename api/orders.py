"""Orders: place, list, read, change and cancel."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from flask import Response, current_app, request

from models.database import session
from runtime.timing import stopwatch
from schemas.baskets import BasketSchema
from schemas.history import OrderHistorySchema
from schemas.orders import (
    OrderChangeSchema,
    OrderDetailSchema,
    OrderListSchema,
    OrderPageSchema,
    OrderRequestSchema,
    OrderSchema,
    PlacementSchema,
    PreviewSchema,
)
from schemas.pages import AccountChoiceSchema
from trading.orders.cancellation import cancel_order
from trading.orders.history import order_history
from trading.orders.modification import OrderChange, modify_order
from trading.orders.order_statements import ORDERS, find_order_with_entries
from trading.orders.placement import place_order
from trading.orders.preview import preview_order
from trading.rules.decision import OrderRequest

from .basket import BASKET_ANSWER, place_basket
from .dispatching import accepted
from .http.authentication import account_named, listed_account, requires
from .http.description import ETAG, IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH, LOCATION, PREFER, described, leads_to
from .http.errors import HttpRefusal, not_found
from .http.idempotency import idempotency_key
from .http.observability import timed_placement
from .http.pagination import Keyset, fetch_page, read_moment, read_uuid
from .http.parsing import Blueprint
from .http.rate_limits import limited, replayed_beyond_limit
from .http.responses import answer, expected_versions, tagged_answer

blueprint = Blueprint("orders", __name__, url_prefix="/api/trading", description="Orders")

ORDER, ORDER_DETAIL, ORDER_PAGE = OrderSchema(), OrderDetailSchema(), OrderPageSchema()
PREVIEW, HISTORY = PreviewSchema(), OrderHistorySchema()
NEWEST_FIRST = Keyset({"placed_at": read_moment, "id": read_uuid})


@blueprint.post("/orders")
@timed_placement
@requires("trade", "admin")
@limited
@blueprint.arguments(OrderRequestSchema())
@blueprint.response(200, PlacementSchema(), headers=LOCATION)
@blueprint.response(202, PlacementSchema(), headers=LOCATION)
@described(
    problems=(404, 409),
    headers=(IDEMPOTENCY_KEY, PREFER),
    responses={202: leads_to("order_id", "orderId", "ordersRead", "ordersHistory", "ordersModify", "ordersCancel")},
)
def place(body: dict[str, Any]) -> Response:
    """Place an order."""
    named = body.pop("account_id")
    key, account_id = idempotency_key(body), account_named(named)
    calendar = current_app.config["SETTINGS"].market_calendar
    with stopwatch().step("place"):
        placement = replayed_beyond_limit(account_id, key) or place_order(
            account_id, OrderRequest(**body), calendar=calendar, idempotency_key=key
        )
    return accepted(placement)


@blueprint.post("/orders/preview")
@requires("trade", "read", "admin")
@blueprint.arguments(OrderRequestSchema())
@blueprint.response(200, PREVIEW)
@described(problems=(404,))
def preview(body: dict[str, Any]) -> Response:
    """Work out what an order would take, and place nothing.

    `refusal` is the code with which it would be refused now. Without a price there is nothing to work out, and the
    answer is the refusal itself.
    """
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


@blueprint.post("/orders/batch")
@timed_placement
@requires("trade", "admin")
@blueprint.arguments(BasketSchema())
@blueprint.response(200, BASKET_ANSWER)
@described(problems=(404, 429), headers=(IDEMPOTENCY_KEY, PREFER))
def place_batch(body: dict[str, Any]) -> Response:
    """Place up to 20 orders, each accepted or refused by itself.

    `results` has one entry for each, in the order of the request. A retry with the same `Idempotency-Key` and the
    same orders places none twice: what was accepted is answered again, what was refused is judged anew. With other
    orders it is an `idempotency_conflict` that places nothing, unless none of the first was accepted. Every order
    counts for the rate, but for those that are answered again; those beyond it are refused. `Prefer: wait=N` waits
    for all of them together; the `status` of those that have ended within N seconds is 200.
    """
    return place_basket(account_named(body["account_id"]), body["orders"])


@blueprint.get("/orders")
@requires("read", "admin")
@blueprint.arguments(OrderListSchema(), location="query")
@blueprint.response(200, ORDER_PAGE)
def list_orders(query: dict[str, Any]) -> Response:
    """List orders, newest first."""
    with listed_account(query["account_id"]) as account_id:
        where = {
            "account_id = %s": account_id,
            "status = %s": query["status"],
            "symbol = %s": query["symbol"],
            "side = %s": query["side"],
            "product = %s": query["product"],
            "placed_at >= %s": query["placed_from"],
            "placed_at < %s": query["placed_before"],
        }
        page = fetch_page(ORDERS, where, NEWEST_FIRST, limit=query["limit"], cursor=query["cursor"])
    return answer(ORDER_PAGE, page)


@blueprint.get("/orders/<opaque_uuid:order_id>")
@requires("read", "admin")
@blueprint.arguments(AccountChoiceSchema(), location="query")
@blueprint.response(200, ORDER_DETAIL, headers=ETAG)
@described(headers=(IF_NONE_MATCH,), responses={304: {"description": "The order is unchanged.", "headers": ETAG}})
def read(query: dict[str, Any], order_id: UUID) -> Response:
    """Read one order with its charges and its rows of the fund ledger."""
    with session():
        order = find_order_with_entries(account_named(query["account_id"]), order_id)
    if order is None:
        raise not_found()
    return tagged_answer(ORDER_DETAIL, order, order["version"])


@blueprint.get("/orders/<opaque_uuid:order_id>/history")
@requires("read", "admin")
@blueprint.arguments(AccountChoiceSchema(), location="query")
@blueprint.response(200, HISTORY)
def history(query: dict[str, Any], order_id: UUID) -> Response:
    """Tell an order's life, oldest first: what changed, when, and the rows of the fund ledger that came of it.

    It is told from the order's events, which are kept for 7 days. Afterwards it still says when the order was
    placed and how it ended; what was changed in between is not known any more, and what was written to the ledger
    before the oldest event that is kept stands with the placement.
    """
    return answer(HISTORY, {"data": order_history(account_named(query["account_id"]), order_id)})


@blueprint.patch("/orders/<opaque_uuid:order_id>")
@requires("trade", "admin")
@blueprint.arguments(OrderChangeSchema())
@blueprint.response(200, ORDER_DETAIL, headers=ETAG)
@described(problems=(409, 412, 428), headers=(IF_MATCH,))
def modify(body: dict[str, Any], order_id: UUID) -> Response:
    """Change the quantity of a PENDING order, or the price of a LIMIT order.

    Its margin and charges become what they would be had it been placed so, and it keeps its place in time.
    """
    if not request.headers.get("If-Match", "").strip():
        raise HttpRefusal("precondition_required")
    order = modify_order(
        account_named(body.pop("account_id")),
        order_id,
        OrderChange(**body),
        calendar=current_app.config["SETTINGS"].market_calendar,
        expected_versions=expected_versions(),
    )
    return tagged_answer(ORDER_DETAIL, order, order["version"])


@blueprint.delete("/orders/<opaque_uuid:order_id>")
@requires("trade", "admin")
@blueprint.arguments(AccountChoiceSchema(), location="query")
@blueprint.response(200, ORDER)
@described(problems=(409, 412), headers=({**IF_MATCH, "required": False},))
def cancel(query: dict[str, Any], order_id: UUID) -> Response:
    """Cancel a PENDING order; its margin and charges are given back.

    With `If-Match` only when it still is the order that was read.
    """
    account_id = account_named(query["account_id"])
    return answer(ORDER, cancel_order(account_id, order_id, expected_versions=expected_versions()))
