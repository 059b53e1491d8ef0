"""Positions and holdings: list, convert and close."""

from typing import Any, cast
from uuid import UUID

from flask import Response

from models.database import session, snapshot
from models.rows import PositionChangeRow
from runtime.timing import stopwatch
from schemas.orders import PlacementSchema
from schemas.pages import AccountChoiceSchema
from schemas.positions import (
    ClosingAllSchema,
    ClosingSchema,
    ConversionSchema,
    ConvertedSchema,
    HoldingListSchema,
    HoldingPageSchema,
    PositionListSchema,
    PositionPageSchema,
    PositionSchema,
)
from trading.accounts.portfolio import (
    HOLDINGS,
    IS_HOLDING,
    POSITIONS,
    PositionFilter,
    find_position,
    value_holding,
    value_position,
)
from trading.day.conversion import convert_position
from trading.market.trading_days import trading_days
from trading.orders.closing import close_position
from trading.rules.conversion import other_product
from trading.rules.errors import NotFound
from trading.rules.terms import Product

from .closing import CLOSINGS, close_selected
from .dispatching import market, respond_to_placement
from .http.authentication import existing_account_session, requested_account_id, requires
from .http.description import ACCEPTED, FINAL, IDEMPOTENCY_KEY, LOCATION, OF_TRADING, PREFER, PREFER_FOR_MANY, described
from .http.errors import invalid
from .http.idempotency import idempotency_key, mark_replayed
from .http.observability import timed_placement
from .http.pagination import Keyset, fetch_page, read_uuid
from .http.parsing import Blueprint
from .http.rate_limits import limited, replayed_beyond_limit
from .http.responses import respond

blueprint = Blueprint("positions", __name__, url_prefix="/api/trading", description="Positions")

POSITION, POSITION_PAGE = PositionSchema(), PositionPageSchema()
HOLDING_PAGE, CONVERTED = HoldingPageSchema(), ConvertedSchema()
NEWEST_FIRST = Keyset({"position.id": read_uuid})


@blueprint.get("/positions")
@requires("read", "admin")
@blueprint.arguments(PositionListSchema(), location="query")
@blueprint.response(200, POSITION_PAGE)
def list_positions(query: dict[str, Any]) -> Response:
    """List open and closed positions, newest first.

    There is one position for each stock and product. It stays in the list, with the quantity 0, after it is closed.
    Profits, margin and the figures of the day do not contain charges.
    """
    days = trading_days(market()["calendar"])
    named, chosen = query.pop("account_id"), {"limit": query.pop("limit"), "cursor": query.pop("cursor")}
    with existing_account_session(named) as account_id:
        where = PositionFilter(**query).conditions(account_id)
        page = fetch_page(POSITIONS, where, NEWEST_FIRST, **chosen)
    for row in page["data"]:
        value_position(row, days)
    return respond(POSITION_PAGE, page)


@blueprint.get("/positions/<opaque_uuid:position_id>")
@requires("read", "admin")
@blueprint.arguments(AccountChoiceSchema(), location="query")
@blueprint.response(200, POSITION)
def read(query: dict[str, Any], position_id: UUID) -> Response:
    """Read one position, open or flat.

    A position that was closed can still be read: its quantity is 0, and its realised profit stays.
    """
    account_id = requested_account_id(query["account_id"])
    with session():
        row = find_position(account_id, position_id)
    if row is None:
        raise NotFound
    value_position(row, trading_days(market()["calendar"]))
    return respond(POSITION, row)


@blueprint.get("/holdings")
@requires("read", "admin")
@blueprint.arguments(HoldingListSchema(), location="query")
@blueprint.response(200, HOLDING_PAGE)
def list_holdings(query: dict[str, Any]) -> Response:
    """List the DELIVERY shares of earlier days, and those of them that were sold today, newest position first.

    Shares that were bought today are not holdings yet: they are in the positions only.
    """
    calendar = market()["calendar"]
    days = trading_days(calendar)
    with existing_account_session(query["account_id"]) as account_id:
        where = {
            "position.account_id = %s": account_id,
            IS_HOLDING: Product.DELIVERY,
            "position.exchange = %s": query["exchange"],
            "position.symbol = %s": query["symbol"],
        }
        chosen = {"limit": query["limit"], "cursor": query["cursor"], "selects_by": [calendar]}
        page = fetch_page(HOLDINGS, where, NEWEST_FIRST, **chosen)
    for row in page["data"]:
        value_holding(row, days)
    return respond(HOLDING_PAGE, page)


@blueprint.post("/positions/<opaque_uuid:position_id>/convert")
@requires("trade", "admin")
@blueprint.arguments(AccountChoiceSchema(), location="query", is_alone=False)
@blueprint.arguments(ConversionSchema(), is_alone=False, required=False)
@blueprint.response(200, CONVERTED)
@described(
    problems=(
        "not_convertible",
        *OF_TRADING,
        "square_off_passed",
        "intraday_not_allowed",
        "insufficient_margin",
    ),
    headers=(IDEMPOTENCY_KEY,),
)
def convert(query: dict[str, Any], body: dict[str, Any], position_id: UUID) -> Response:
    """Convert shares that were bought from INTRADAY to DELIVERY, or back if they were bought today.

    Without a `quantity` all that may be converted is. The margin changes with the product, and nothing is charged.
    `from` and `to` are both positions as they are now: those of a repeated request show later changes too.
    """
    key = idempotency_key({name: value for name, value in body.items() if value is not None})
    account_id = requested_account_id(query["account_id"])
    _refuse_own_product(account_id, position_id, body["product"])
    change, is_replay = convert_position(
        account_id, position_id, body["quantity"], calendar=market()["calendar"], idempotency_key=key
    )
    response = respond(CONVERTED, {**change, **_both_positions(account_id, change)})
    return mark_replayed(response) if is_replay else response


def _refuse_own_product(account_id: UUID, position_id: UUID, product: str | None) -> None:
    """Refuse a conversion to the product that the position has; the product of a position never changes."""
    if product is None:
        return
    with session():
        row = find_position(account_id, position_id)
    if row is not None and row["product"] == product:
        raise invalid({"product": [f"Must be {other_product(product)}: the position is {product} already."]})


def _both_positions(account_id: UUID, change: PositionChangeRow) -> dict[str, Any]:
    """Return the positions of a conversion, read together."""
    days, rows = trading_days(market()["calendar"]), {}
    with snapshot():
        for name, position_id in (("source", change["from_position"]), ("target", change["to_position"])):
            row = find_position(account_id, cast(UUID, position_id))
            assert row is not None
            rows[name] = row
    for row in rows.values():
        value_position(row, days)
    return rows


@blueprint.post("/positions/<opaque_uuid:position_id>/close")
@timed_placement
@requires("trade", "admin")
@limited
@blueprint.arguments(AccountChoiceSchema(), location="query", is_alone=False)
@blueprint.arguments(ClosingSchema(), is_alone=False, required=False)
@blueprint.response(200, PlacementSchema(), headers=LOCATION)
@blueprint.response(202, PlacementSchema(), headers=LOCATION)
@described(
    problems=("nothing_to_close", "not_closable", *OF_TRADING, "no_price"),
    headers=(IDEMPOTENCY_KEY, PREFER),
    responses={200: FINAL, 202: ACCEPTED},
)
def close(query: dict[str, Any], body: dict[str, Any], position_id: UUID) -> Response:
    """Place the opposite MARKET order for the open quantity that is not promised to PENDING and OPEN orders.

    With a `quantity` only that much is closed; more than is open and not promised is refused (`not_closable`, with
    `closable`). With `cancelOpenOrders` those orders are cancelled first, in the same transaction. An order that the
    market has traded already (`matchedAt`) stays, with its promise.
    """
    # A request without the wish has the fingerprint of one without a body.
    key = idempotency_key({name: value for name, value in body.items() if value})
    account_id = requested_account_id(query["account_id"])
    with stopwatch().step("place"):
        placement = replayed_beyond_limit(account_id, key) or close_position(
            account_id, position_id, **market(), idempotency_key=key, **body
        )
    return respond_to_placement(placement)


@blueprint.post("/positions/close")
@timed_placement
@requires("trade", "admin")
@blueprint.arguments(AccountChoiceSchema(), location="query", is_alone=False)
@blueprint.arguments(ClosingAllSchema(), is_alone=False, required=False)
@blueprint.response(200, CLOSINGS)
@described(problems=("rate_limited",), headers=(IDEMPOTENCY_KEY, PREFER_FOR_MANY))
def close_all(query: dict[str, Any], body: dict[str, Any]) -> Response:
    """Close all open positions, or those that the filters of the body select.

    Each is closed as by its own `close`, by one order of at most 1,000,000 shares. A position that cannot be closed is
    in `refused` with the problem of its own `close`, for example `nothing_to_close` if live orders will close all of
    it. A request closes up to 500 positions, the oldest first; `hasMore` is true if more were selected. It counts once
    toward the rate limit. `Prefer: wait=N` waits for all orders together; orders that are final within N seconds have
    the `status` 200.

    It is safe to send the request again: shares that an order will close already are not closed twice. With the same
    `Idempotency-Key` the orders of the first response are in `placed` again, also when their positions are flat by now,
    and the positions that it refused are tried anew.
    """
    return close_selected(requested_account_id(query["account_id"]), body)
