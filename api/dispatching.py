"""The steps after a committed placement: start the execution, and respond."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from flask import Response, current_app

from actors.dispatch import dispatch
from runtime import tracing
from runtime.logs import get_logger
from runtime.timing import stopwatch
from schemas.orders import PlacementSchema
from trading.execution.executing import execute_orders
from trading.orders.placement_types import Placement

from .http.facts import request_facts
from .http.idempotency import mark_replayed
from .http.rate_limits import give_back_placement
from .http.responses import respond
from .stream.waiting import preferred_wait, wait_for_ends

logger = get_logger(__name__)

PLACEMENT = PlacementSchema()


def accepted(placement: Placement) -> Response:
    """Respond for a committed order: 202, or 200 if the order became final within the client's preferred wait.

    Sweeping executes the order even if its message is lost, so executionScheduled is true for every 202.
    """
    order = request_facts().placed_order = placement.order
    order_id = UUID(str(order["id"]))
    wait_s = preferred_wait()
    after_answer = None
    if placement.is_replay:
        give_back_placement()
    else:
        after_answer = see_to_execution([order_id], is_awaited=wait_s is not None)
    ended = None
    if wait_s is not None:
        ended = wait_for_ends(UUID(str(order["account_id"])), [order_id], wait_s).get(order_id)
    response = _respond(ended or order, is_scheduled=ended is None)
    if wait_s is not None:
        response.headers["Preference-Applied"] = f"wait={wait_s}"
    if after_answer is not None:
        response.call_on_close(after_answer)
    return mark_replayed(response) if placement.is_replay else response


def _respond(order: Mapping[str, Any], *, is_scheduled: bool) -> Response:
    body = {"order_id": order["id"], "execution_scheduled": is_scheduled, "order": order}
    headers = {"Location": f"/api/trading/orders/{order['id']}"}
    return respond(PLACEMENT, body, 202 if is_scheduled else 200, headers)


def see_to_execution(order_ids: Sequence[UUID], *, is_awaited: bool = False) -> Callable[[], None] | None:
    """Send orders to the workers; with inline dispatch return the function that executes them after the response."""
    mode = current_app.config["SETTINGS"].order_dispatch
    with stopwatch().step("dispatch"):
        if mode == "queue" and order_ids:
            dispatch(order_ids, request_facts().request_id)
        elif mode == "inline" and is_awaited:
            execute_now(order_ids)  # the client waits for the execution
    if mode != "inline" or is_awaited:
        return None
    return tracing.carried(functools.partial(execute_now, order_ids))


def execute_now(order_ids: Sequence[UUID]) -> None:
    """Execute orders in this process, each by itself; sweeping executes those that fail here."""
    for order_id in order_ids:
        try:
            execute_orders([order_id])
        except Exception as error:  # the response has been sent already
            logger.error("inline_execution_failed", order_id=str(order_id), exc_info=error)
