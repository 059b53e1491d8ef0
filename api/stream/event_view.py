"""Render events: the data is that of the GET on the changed object, without the values that move with the market."""

from api.http.responses import encode
from models.database import Row
from models.rows import EventRow
from schemas.events import DATA_SCHEMAS, EventSchema
from trading.rules.money import average_price

EVENT = EventSchema()


def presented(event: EventRow) -> Row:
    """Return an event's row with its data rendered by the schema of the changed object."""
    subject = event["type"].partition(".")[0]
    data = event["data"]
    if subject == "position":
        data = data | {"average_price": average_price(data["cost"], data["quantity"])}
    return {**event, "data": DATA_SCHEMAS[subject].dump(data)}


def as_text(event: EventRow) -> str:
    """Return an event as the JSON text that listeners get."""
    return encode(EVENT.dump(presented(event)))
