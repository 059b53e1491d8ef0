"""What follows a committed placement: see to its execution, and answer."""

import functools
from typing import Any
from uuid import UUID

from flask import Response, current_app, g

from actors.dispatch import dispatch
from schemas.orders import PlacementSchema
from trading.execution import execute_orders
from trading.logs import get_logger
from trading.placement import Placement

from .answers import answer
from .idempotency import mark_replayed
from .observability import step
from .waiting import preferred_wait, wait_for_end

logger = get_logger(__name__)

PLACEMENT = PlacementSchema()


def accepted(placement: Placement) -> Response:
    """Answer for an order that is committed: 202, or 200 when it ended while the client was willing to wait.

    The order is executed whatever becomes of the message, so a 202 is always scheduled.
    """
    order = g.placed_order = placement.order
    order_id = UUID(str(order["id"]))
    after_answer = None if placement.is_replay else _see_to_execution(order_id)
    wait_s = preferred_wait()
    ended = wait_for_end(UUID(str(order["account_id"])), order_id, wait_s) if wait_s is not None else None
    response = _answer(ended or order, is_scheduled=ended is None)
    if wait_s is not None:
        response.headers["Preference-Applied"] = f"wait={wait_s}"
    if after_answer is not None:
        response.call_on_close(after_answer)
    return mark_replayed(response) if placement.is_replay else response


def _answer(order: dict[str, Any], *, is_scheduled: bool) -> Response:
    body = {"order_id": order["id"], "execution_scheduled": is_scheduled, "order": order}
    headers = {"Location": f"/api/trading/orders/{order['id']}"}
    return answer(PLACEMENT, body, 202 if is_scheduled else 200, headers)


def _see_to_execution(order_id: UUID) -> functools.partial[None] | None:
    """Send the order to a worker; without one, return what is to be done after the answer has been sent."""
    with step("dispatch"):
        if current_app.config["SETTINGS"].order_dispatch == "queue":
            dispatch(order_id, g.request_id)
            return None
        if preferred_wait() is None:
            return functools.partial(execute_now, order_id)
        execute_now(order_id)  # the client waits for just this
        return None


def execute_now(order_id: UUID) -> None:
    """Execute an order in this process; sweeping catches what fails here."""
    try:
        execute_orders([order_id])
    except Exception as error:  # the order is accepted: there is nobody to tell
        logger.error("inline_execution_failed", order_id=str(order_id), exc_info=error)
