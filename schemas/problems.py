"""Problem documents of RFC 9457."""

from typing import Any

from marshmallow import fields

from .base import StrictSchema
from .examples import MOMENT, ORDER_ID
from .fields import Identifier, Money, Timestamp, Whole
from .orders import EXCHANGES, ORIGINS, STATUSES


def _of(codes: str, description: str) -> dict[str, Any]:
    """Return the metadata of a member that only problems with some codes have."""
    return {"x-optional": True, "description": f"{description} Only for {codes}."}


class NearStockSchema(StrictSchema):
    """A known stock that the client may have meant."""

    exchange = fields.String(metadata={"enum": list(EXCHANGES)})
    symbol = fields.String(metadata={"example": "RELIANCE"})
    name = fields.String(
        allow_none=True,
        metadata={"example": "Reliance Industries", "description": "The name of the company; null if it is not known."},
    )


class ProblemSchema(StrictSchema):
    """A problem document; some codes have further members, which say for which codes they are."""

    type = fields.String(
        metadata={"example": "urn:tradepost:problem:not_found", "description": "The code as a URN; it leads nowhere."}
    )
    title = fields.String(metadata={"example": "Not found", "description": "The code in words."})
    status = fields.Integer(metadata={"example": 404, "description": "The HTTP status."})
    detail = fields.String(
        metadata={
            "example": "The resource does not exist, or it belongs to another account.",
            "description": "A sentence for people; its words may change.",
        }
    )
    instance = fields.String(
        metadata={"example": f"/api/trading/orders/{ORDER_ID}", "description": "The path of the request."}
    )
    code = fields.String(
        metadata={
            "example": "not_found",
            "x-term": "ProblemCode",
            "description": "The kind of the problem: decide by it, not by `detail`.",
        }
    )
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata=_of(
            "`validation_failed`", "The messages for each invalid field or parameter, by its name (`orders.0.price`)."
        ),
    )
    required = Money(metadata=_of("`insufficient_margin`", "The margin and the charges that the request needs."))
    available = Money(metadata=_of("`insufficient_margin`", "The available margin of the account."))
    next_open = Timestamp(
        data_key="nextOpen",
        allow_none=True,
        metadata=_of("`market_closed`", "The opening of the next session; null if none is known."),
    )
    order_id = Identifier(
        data_key="orderId", metadata=_of("`duplicate_client_order_id`", "The order that has this clientOrderId.")
    )
    order_status = fields.String(
        data_key="orderStatus", metadata=_of("`order_not_open`", "The status of the order.") | {"enum": list(STATUSES)}
    )
    matched_at = Timestamp(
        data_key="matchedAt",
        metadata=_of("`order_not_open`", "The time at which the market traded the order; its fill follows."),
    )
    origin = fields.String(
        metadata=_of("`order_not_open`", "`SQUARE_OFF`: the order closes a position at the end of the day.")
        | {"enum": list(ORIGINS)}
    )
    closable = Whole(metadata=_of("`not_closable`", "The quantity that can be closed."))
    convertible = Whole(metadata=_of("`not_convertible`", "The quantity that can be converted."))
    exchange = fields.String(
        metadata=_of("`unknown_symbol`", "The exchange of the request.") | {"enum": list(EXCHANGES)}
    )
    symbol = fields.String(metadata=_of("`unknown_symbol`", "The symbol of the request."))
    nearest = fields.List(
        fields.Nested(NearStockSchema),
        metadata=_of("`unknown_symbol`", "Up to five known stocks that are spelt alike, the best first."),
    )
    fields_ = fields.List(
        fields.String(),
        data_key="fields",
        metadata=_of("`not_simulated`", "The fields that the account's fill model does not simulate."),
    )
    field = fields.String(
        metadata=_of("`price_off_tick` and `price_outside_band`", "The field whose price is refused.")
    )
    lot_size = Whole(data_key="lotSize", metadata=_of("`quantity_off_lot`", "The quantity must be a multiple of it."))
    tick_size = Money(data_key="tickSize", metadata=_of("`price_off_tick`", "The price must be a multiple of it."))
    lower_price = Money(
        data_key="lowerPrice",
        allow_none=True,
        metadata=_of("`price_off_tick`", "The next lower price that fits; null if there is none."),
    )
    upper_price = Money(
        data_key="upperPrice", allow_none=True, metadata=_of("`price_off_tick`", "The next higher price.")
    )
    trigger_price = Money(
        data_key="triggerPrice",
        metadata=_of("`trigger_beyond_price` and `trigger_on_wrong_side`", "The trigger of the request."),
    )
    price = Money(metadata=_of("`trigger_beyond_price`", "The price of the request."))
    last_price = Money(data_key="lastPrice", metadata=_of("`trigger_on_wrong_side`", "The last price of the stock."))
    lower_circuit = Money(
        data_key="lowerCircuit",
        allow_none=True,
        metadata=_of("`price_outside_band`", "The lowest price of the day; null if it is not known."),
    )
    upper_circuit = Money(
        data_key="upperCircuit",
        allow_none=True,
        metadata=_of("`price_outside_band`", "The highest price of the day; null if it is not known."),
    )
    square_off_at = Timestamp(
        data_key="squareOffAt",
        metadata=_of("`square_off_passed`", "The time of the day's square-off.") | {"examples": [MOMENT]},
    )
