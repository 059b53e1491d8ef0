"""Cancel the orders that a request selects, and respond for all of them."""

from uuid import UUID

from flask import Response, request

from schemas.order_lists import CancellationsSchema
from trading.orders.mass_cancellation import cancel_orders
from trading.orders.selection import OrderFilter

from .http.errors import HttpRefusal, problem_document
from .http.responses import expected_versions, respond

CANCELLATIONS = CancellationsSchema()
NO_VERSION = "A list of orders has no ETag: leave out If-Match, or cancel each order by itself."


def cancel_selected(account_id: UUID, wanted: OrderFilter) -> Response:
    """Cancel the selected orders of an account; refuse an If-Match that no list fits."""
    if expected_versions() is not None:
        raise HttpRefusal("precondition_failed", NO_VERSION)
    cancelled, refused, has_more = cancel_orders(account_id, wanted)
    # One error of the database is the problem of all orders that it has left.
    errors = {id(error): error for error in refused.values()}
    documents = {key: problem_document(error) for key, error in errors.items()}
    problems = [
        {"order_id": order_id, "problem": documents[id(error)] | {"instance": f"{request.path}/{order_id}"}}
        for order_id, error in refused.items()
    ]
    return respond(CANCELLATIONS, {"cancelled": cancelled, "refused": problems, "has_more": has_more})
