"""What follows a committed placement: see to its execution, and answer 202."""

import functools
from typing import Any
from uuid import UUID

from flask import Response, current_app, g

from actors.dispatch import dispatch
from schemas.orders import PlacementSchema
from trading.execution import execute_orders
from trading.logs import get_logger

from .answers import answer
from .observability import step

logger = get_logger(__name__)

PLACEMENT = PlacementSchema()


def accepted(order: dict[str, Any]) -> Response:
    """Answer for an order that is committed, after its execution has been asked for.

    The order is executed whatever becomes of the message, so it is always scheduled.
    """
    g.placed_order = order
    body = {"order_id": order["id"], "execution_scheduled": True, "order": order}
    response = answer(PLACEMENT, body, 202, {"Location": f"/api/trading/orders/{order['id']}"})
    with step("dispatch"):
        if current_app.config["SETTINGS"].order_dispatch == "inline":
            response.call_on_close(functools.partial(execute_now, order["id"]))
        else:
            dispatch(order["id"], g.request_id)
    return response


def execute_now(order_id: UUID) -> None:
    """Execute an order after its answer has been sent; sweeping catches what fails here."""
    try:
        execute_orders([order_id])
    except Exception as error:  # the client has its answer: there is nobody to tell
        logger.error("inline_execution_failed", order_id=str(order_id), exc_info=error)
