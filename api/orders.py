"""Orders: place, preview, list, read, modify and cancel."""

from typing import Any
from uuid import UUID

from flask import Response, request

from models.database import session
from runtime.timing import stopwatch
from schemas.baskets import BasketSchema
from schemas.history import OrderHistorySchema
from schemas.order_lists import CancellationListSchema, OrderListSchema
from schemas.order_requests import OrderChangeSchema, OrderRequestSchema
from schemas.orders import (
    OrderDetailSchema,
    OrderPageSchema,
    OrderSchema,
    PlacementSchema,
)
from schemas.pages import AccountChoiceSchema
from schemas.previews import PreviewSchema
from trading.orders.cancellation import cancel_order
from trading.orders.history import order_history
from trading.orders.modification import OrderChange, modify_order
from trading.orders.order_statements import find_order_by_client_id, find_order_with_entries
from trading.orders.placement import place_order
from trading.orders.preview import Preview, preview_order
from trading.orders.selection import OrderFilter
from trading.rules.decision import OrderRequest
from trading.rules.errors import NotFound

from .basket import BASKET_ANSWER, place_basket
from .cancelling import CANCELLATIONS, cancel_selected
from .dispatching import execute_changed, market, respond_to_placement
from .http.authentication import existing_account_session, requested_account_id, requires
from .http.description import (
    ACCEPTED,
    ETAG,
    FINAL,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    IF_NONE_MATCH,
    LOCATION,
    OF_MONEY,
    OF_STOCK,
    OF_TRADING,
    PREFER,
    PREFER_FOR_MANY,
    described,
    leads_to,
)
from .http.errors import HttpRefusal
from .http.exports import Listing, Query, exported
from .http.facts import request_facts
from .http.idempotency import idempotency_key
from .http.observability import timed_placement
from .http.pagination import Keyset, read_timestamp, read_uuid
from .http.parsing import Blueprint
from .http.rate_limits import limited, replayed_beyond_limit
from .http.responses import expected_versions, respond, respond_tagged

blueprint = Blueprint("orders", __name__, url_prefix="/api/trading", description="Orders")

ORDER, ORDER_DETAIL, ORDER_PAGE = OrderSchema(), OrderDetailSchema(), OrderPageSchema()
PREVIEW, HISTORY = PreviewSchema(), OrderHistorySchema()
ORDER_LIST = Listing("orders", Keyset({"placed_at": read_timestamp, "id": read_uuid}), ORDER_PAGE)


@blueprint.post("/orders")
@timed_placement
@requires("trade", "admin")
@limited
@blueprint.arguments(OrderRequestSchema())
@blueprint.response(200, PlacementSchema(), headers=LOCATION)
@blueprint.response(202, PlacementSchema(), headers=LOCATION)
@described(
    problems=("duplicate_client_order_id", *OF_TRADING, "unknown_symbol", *OF_STOCK, *OF_MONEY),
    headers=(IDEMPOTENCY_KEY, PREFER),
    responses={
        200: FINAL,
        202: ACCEPTED | leads_to("order_id", "orderId", "ordersRead", "ordersHistory", "ordersModify", "ordersCancel"),
    },
)
def place(body: dict[str, Any]) -> Response:
    """Place an order.

    Outside the session of its stock's class it is refused with `market_closed`, unless it has `afterMarket`: then it
    waits for the next session (`waitingFor` is `session`), and can be changed and cancelled until it opens.
    """
    named = body.pop("account_id")
    key, account_id = idempotency_key(body), requested_account_id(named, "body")
    wanted = request_facts().wanted_order = OrderRequest(**body)
    with stopwatch().step("place"):
        placement = replayed_beyond_limit(account_id, key) or place_order(
            account_id, wanted, **market(), idempotency_key=key
        )
    return respond_to_placement(placement)


@blueprint.post("/orders/preview")
@requires("trade", "read", "admin")
@blueprint.arguments(OrderRequestSchema())
@blueprint.response(200, PREVIEW)
@described(problems=("duplicate_client_order_id", *OF_TRADING, "unknown_symbol", *OF_STOCK))
def preview(body: dict[str, Any]) -> Response:
    """Compute the margin and charges of an order without placing it, and judge it on the present quote.

    `wouldFill` is true if the order would fill at once, at `fillPrice`; otherwise it would rest for `wouldWaitFor`.
    `refusal` is the code with which a placement would be refused now. Without a price nothing can be computed, and
    the response is the refusal itself. So it is for a symbol that is refused as unknown.
    """
    account_id = requested_account_id(body.pop("account_id"), "body")
    return respond(PREVIEW, _preview_row(preview_order(account_id, OrderRequest(**body), **market())))


def _preview_row(preview: Preview) -> dict[str, Any]:
    decision, available_margin, look, refusal = preview
    return {
        "price": decision.price,
        "margin": decision.margin,
        "charges": decision.charges.total,
        "charge_items": decision.charges.as_dict(),
        "closing_quantity": decision.closing_quantity,
        "opening_quantity": decision.opening_quantity,
        "available_margin": available_margin,
        "available_margin_after": available_margin - decision.margin - decision.charges.total,
        "would_fill": look.fills,
        "fill_price": look.fill_price,
        "would_wait_for": look.waiting_for,
        "refusal": refusal.code if refusal else None,
    }


@blueprint.post("/orders/batch")
@timed_placement
@requires("trade", "admin")
@blueprint.arguments(BasketSchema())
@blueprint.response(200, BASKET_ANSWER)
@described(problems=("rate_limited",), headers=(IDEMPOTENCY_KEY, PREFER_FOR_MANY))
def place_batch(body: dict[str, Any]) -> Response:
    """Place a basket of up to 20 orders; each order is accepted or refused by itself.

    `results` has one entry for each order, in the order of the request. A retry with the same `Idempotency-Key` and
    the same orders places no order twice: accepted orders get their first result again, and refused orders are judged
    anew. With other orders it is refused with `idempotency_conflict` and places nothing, unless none of the first
    orders was accepted. Each order counts toward the rate limit, except those that get their first result again;
    orders beyond the limit are refused. `Prefer: wait=N` waits for all orders together; orders that are final within
    N seconds have the `status` 200, and those that rest the 202.
    """
    return place_basket(requested_account_id(body["account_id"], "body"), body["orders"])


@blueprint.get("/orders")
@requires("read", "admin")
@blueprint.arguments(OrderListSchema(), location="query")
@blueprint.response(200, ORDER_PAGE)
@exported
def list_orders(query: dict[str, Any]) -> Response:
    """List orders, newest first.

    Without filters all orders of the account are listed, live and final ones. Several filters hold together. With
    `Accept: text/csv` the response has all orders that they choose, without `limit` and `cursor`.
    """
    named, chosen = query.pop("account_id"), {"limit": query.pop("limit"), "cursor": query.pop("cursor")}
    wanted = OrderFilter(**query)
    with existing_account_session(named) as account_id:
        select, parameters = wanted.select(account_id)
        found = ORDER_LIST.find(Query(select, wanted.conditions(account_id), parameters), chosen)
    return ORDER_LIST.respond(account_id, found)


@blueprint.delete("/orders")
@requires("trade", "admin")
@blueprint.arguments(CancellationListSchema(), location="query")
@blueprint.response(200, CANCELLATIONS)
@described(problems=("precondition_failed",))
def cancel_all(query: dict[str, Any]) -> Response:
    """Cancel all PENDING and OPEN orders, or those that the filters select.

    Each of them is cancelled as by its own `DELETE`. An order that the market has traded already, or that ends
    meanwhile, is in `refused` with the problem of its own `DELETE`. A request cancels up to 5,000 orders, the oldest
    first; `hasMore` is true if more were selected. Orders that are placed meanwhile stay. It is safe to send the
    request again. A list has no ETag: an `If-Match` other than `*` is refused.
    """
    account_id = requested_account_id(query.pop("account_id"))
    return cancel_selected(account_id, OrderFilter(**query))


@blueprint.get("/orders/by-client-id/<opaque_word:client_order_id>")
@requires("read", "admin")
@blueprint.arguments(AccountChoiceSchema(), location="query")
@blueprint.response(200, ORDER_DETAIL, headers=ETAG)
@described(headers=(IF_NONE_MATCH,), responses={304: {"description": "The order is unchanged.", "headers": ETAG}})
def read_by_client_id(query: dict[str, Any], client_order_id: str) -> Response:
    """Read the order that has a `clientOrderId`, as it is read by its `orderId`.

    Write every character of it that is not a letter or a digit as `%` and its code. One that contains `/./` or `/../`
    is found by the filter `clientOrderId` of the list only, because clients change such addresses.
    """
    account_id = requested_account_id(query["account_id"])
    with session():
        order = find_order_by_client_id(account_id, client_order_id)
    if order is None:
        raise NotFound
    return respond_tagged(ORDER_DETAIL, order, order["version"])


@blueprint.get("/orders/<opaque_uuid:order_id>")
@requires("read", "admin")
@blueprint.arguments(AccountChoiceSchema(), location="query")
@blueprint.response(200, ORDER_DETAIL, headers=ETAG)
@described(headers=(IF_NONE_MATCH,), responses={304: {"description": "The order is unchanged.", "headers": ETAG}})
def read(query: dict[str, Any], order_id: UUID) -> Response:
    """Read one order with its charge items and its entries in the fund ledger.

    The `ETag` is the version of the order: send it as `If-Match` to change or cancel exactly this version, or as
    `If-None-Match` to poll cheaply.
    """
    account_id = requested_account_id(query["account_id"])
    with session():
        order = find_order_with_entries(account_id, order_id)
    if order is None:
        raise NotFound
    return respond_tagged(ORDER_DETAIL, order, order["version"])


@blueprint.get("/orders/<opaque_uuid:order_id>/history")
@requires("read", "admin")
@blueprint.arguments(AccountChoiceSchema(), location="query")
@blueprint.response(200, HISTORY)
def history(query: dict[str, Any], order_id: UUID) -> Response:
    """List the history of an order, oldest first: each change with its time and its entries in the fund ledger.

    The history is made from the order's events, which are kept for 7 days. After that it still has the placement
    and the final state. The changes in between are then unknown, and ledger entries older than the oldest kept event
    are listed with the placement.
    """
    return respond(HISTORY, {"data": order_history(requested_account_id(query["account_id"]), order_id)})


@blueprint.patch("/orders/<opaque_uuid:order_id>")
@requires("trade", "admin")
@blueprint.arguments(OrderChangeSchema())
@blueprint.response(200, ORDER_DETAIL, headers=ETAG)
@described(problems=("order_not_open", *OF_TRADING, *OF_STOCK, *OF_MONEY), headers=(IF_MATCH,))
def modify(body: dict[str, Any], order_id: UUID) -> Response:
    """Change the quantity, a price or the type of a PENDING or OPEN order.

    Margin and charges become those of a placement with the new values. The order keeps its place in time. An OPEN order
    is judged anew: it fills at once if the present quote allows it, and a price that passed in between does not count.
    """
    if not request.headers.get("If-Match", "").strip():
        raise HttpRefusal("precondition_required")
    order = modify_order(
        requested_account_id(body.pop("account_id"), "body"),
        order_id,
        OrderChange(**body),
        **market(),
        expected_versions=expected_versions(),
    )
    execute_changed(order)
    return respond_tagged(ORDER_DETAIL, order, order["version"])


@blueprint.delete("/orders/<opaque_uuid:order_id>")
@requires("trade", "admin")
@blueprint.arguments(AccountChoiceSchema(), location="query")
@blueprint.response(200, ORDER)
@described(problems=("order_not_open",), headers=({**IF_MATCH, "required": False},))
def cancel(query: dict[str, Any], order_id: UUID) -> Response:
    """Cancel a PENDING or OPEN order; its margin is released and its charges are refunded.

    An order that the market has traded already (`matchedAt`) cannot be cancelled. With `If-Match` the order is
    cancelled only if it still has that ETag.
    """
    account_id = requested_account_id(query["account_id"])
    return respond(ORDER, cancel_order(account_id, order_id, expected_versions=expected_versions()))
