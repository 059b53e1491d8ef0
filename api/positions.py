"""Positions and holdings: list, convert and close."""

from typing import Any
from uuid import UUID

from flask import Response

from runtime.timing import stopwatch
from schemas.orders import PlacementSchema
from schemas.pages import AccountChoiceSchema, AccountListSchema
from schemas.positions import ClosingSchema, ConversionSchema, ConvertedSchema, HoldingPageSchema, PositionPageSchema
from trading.accounts.portfolio import HOLDINGS, IS_HOLDING, POSITIONS, value_holding, value_position
from trading.day.conversion import convert_position
from trading.market.trading_days import trading_days
from trading.orders.closing import close_position
from trading.rules.terms import Product

from .dispatching import market, respond_to_placement
from .http.authentication import existing_account_session, requested_account_id, requires
from .http.description import IDEMPOTENCY_KEY, LOCATION, OF_TRADING, PREFER, described
from .http.idempotency import idempotency_key, mark_replayed
from .http.observability import timed_placement
from .http.pagination import Keyset, fetch_page, read_uuid
from .http.parsing import Blueprint
from .http.rate_limits import limited, replayed_beyond_limit
from .http.responses import respond

blueprint = Blueprint("positions", __name__, url_prefix="/api/trading", description="Positions")

POSITION_PAGE, HOLDING_PAGE, CONVERTED = PositionPageSchema(), HoldingPageSchema(), ConvertedSchema()
NEWEST_FIRST = Keyset({"position.id": read_uuid})


@blueprint.get("/positions")
@requires("read", "admin")
@blueprint.arguments(AccountListSchema(), location="query")
@blueprint.response(200, POSITION_PAGE)
def list_positions(query: dict[str, Any]) -> Response:
    """List open and closed positions, newest first.

    There is one position for each stock and product. It stays in the list, with the quantity 0, after it is closed.
    Profits, margin and the figures of the day do not contain charges.
    """
    days = trading_days(market()["calendar"])
    with existing_account_session(query["account_id"]) as account_id:
        where = {"position.account_id = %s": account_id}
        page = fetch_page(POSITIONS, where, NEWEST_FIRST, limit=query["limit"], cursor=query["cursor"])
    for row in page["data"]:
        value_position(row, days)
    return respond(POSITION_PAGE, page)


@blueprint.get("/holdings")
@requires("read", "admin")
@blueprint.arguments(AccountListSchema(), location="query")
@blueprint.response(200, HOLDING_PAGE)
def list_holdings(query: dict[str, Any]) -> Response:
    """List the DELIVERY shares of earlier days, and those of them that were sold today, newest position first.

    Shares that were bought today are not holdings yet: they are in the positions only.
    """
    calendar = market()["calendar"]
    days = trading_days(calendar)
    with existing_account_session(query["account_id"]) as account_id:
        where = {"position.account_id = %s": account_id, IS_HOLDING: Product.DELIVERY}
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
    """
    key = idempotency_key({name: value for name, value in body.items() if value is not None})
    account_id = requested_account_id(query["account_id"])
    row, is_replay = convert_position(
        account_id, position_id, body["quantity"], calendar=market()["calendar"], idempotency_key=key
    )
    response = respond(CONVERTED, row)
    return mark_replayed(response) if is_replay else response


@blueprint.post("/positions/<opaque_uuid:position_id>/close")
@timed_placement
@requires("trade", "admin")
@limited
@blueprint.arguments(AccountChoiceSchema(), location="query", is_alone=False)
@blueprint.arguments(ClosingSchema(), is_alone=False, required=False)
@blueprint.response(200, PlacementSchema(), headers=LOCATION)
@blueprint.response(202, PlacementSchema(), headers=LOCATION)
@described(problems=("nothing_to_close", "not_closable", *OF_TRADING, "no_price"), headers=(IDEMPOTENCY_KEY, PREFER))
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
