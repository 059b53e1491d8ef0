"""Events of an account over HTTP."""

from typing import Any

from flask import Response

from models.database import Row, fetch_one, session
from schemas.events import DATA_SCHEMAS, EventListSchema, EventPageSchema, EventSchema
from trading.events import events_since

from .answers import answer
from .auth import account_named, requires
from .errors import not_found
from .parsing import Blueprint
from .positions import average_price

blueprint = Blueprint("realtime", __name__, url_prefix="/api/trading", description="Events")

EVENT, EVENT_PAGE = EventSchema(), EventPageSchema()


@blueprint.get("/events")
@requires("read", "admin")
@blueprint.arguments(EventListSchema(), location="query")
@blueprint.response(200, EVENT_PAGE)
def list_events(query: dict[str, Any]) -> Response:
    """List the events after `since`, oldest first."""
    account_id = account_named(query["account_id"])
    with session():
        # The counter is read before the events: one that is committed in between is not skipped.
        account = fetch_one("SELECT last_event_id FROM account WHERE id = %s", (account_id,))
        if account is None:
            raise not_found()
        events = events_since(account_id, query["since"], query["limit"])
    last_event_id = events[-1]["id"] if events else account["last_event_id"]
    return answer(EVENT_PAGE, {"data": [presented(event) for event in events], "last_event_id": last_event_id})


def presented(event: Row) -> Row:
    """Return an event whose data is what the GET of that thing returns."""
    subject = event["type"].partition(".")[0]
    data = dict(event["data"])
    if subject == "position":
        data["average_price"] = average_price(data)
    elif subject == "account":
        # The database computes the column after the trigger has written the event.
        data["available_margin"] = data["balance"] - data["blocked_margin"]
    return event | {"data": DATA_SCHEMAS[subject].dump(data)}
