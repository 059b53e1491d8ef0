"""Render events: the data is that of the GET on the changed object, without the values that move with the market."""

from api.http.responses import encode
from models.database import Row
from models.rows import EventRow
from schemas.events import DATA_SCHEMAS, EventSchema
from trading.rules.money import ZERO, average_price

EVENT = EventSchema()
# Events of the release before this one have no figures of the day.
NO_FIGURES: Row = {"day_buy_quantity": 0, "day_buy_value": ZERO, "day_sell_quantity": 0, "day_sell_value": ZERO}


def presented(event: EventRow) -> Row:
    """Return an event's row with its data rendered by the schema of the changed object."""
    subject = event["type"].partition(".")[0]
    data = event["data"]
    if subject == "position":
        data = NO_FIGURES | data
        overnight = data["quantity"] - data["day_buy_quantity"] + data["day_sell_quantity"]
        data |= {"average_price": average_price(data["cost"], data["quantity"]), "overnight_quantity": overnight}
    return {**event, "data": DATA_SCHEMAS[subject].dump(data)}


def as_text(event: EventRow) -> str:
    """Return an event as the JSON text that listeners get."""
    return encode(EVENT.dump(presented(event)))
