"""The steps after a committed placement: start the execution, and respond."""

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypedDict
from uuid import UUID

from flask import Response, after_this_request, current_app

from actors.dispatch import dispatch
from models import buckets
from models.rows import OrderRow
from runtime import tracing
from runtime.logs import get_logger
from runtime.timing import stopwatch
from schemas.orders import PlacementSchema
from trading.execution.executing import execute_orders
from trading.matching.crossing import Match
from trading.orders.placement_types import FillSettings, Placement
from trading.rules.terms import OrderStatus, WaitingFor

from .http.facts import request_facts
from .http.idempotency import mark_replayed
from .http.rate_limits import give_back_placement
from .http.responses import respond
from .stream.waiting import preferred_wait, wait_for_judgements

logger = get_logger(__name__)

PLACEMENT = PlacementSchema()


class Market(TypedDict):
    """The settings of the market, as trading takes them."""

    calendar: str | None
    fills: FillSettings


def market() -> Market:
    """Return the settings of the market for a call of trading."""
    settings = current_app.config["SETTINGS"]
    fills = FillSettings(
        settings.limit_fills, settings.max_quote_age_s, settings.square_off_time, settings.unknown_symbols
    )
    return {"calendar": settings.market_calendar, "fills": fills}


def is_final(order: OrderRow) -> bool:
    """Return True if an order never changes again."""
    return OrderStatus(order["status"]).is_final


def waits_for_session(order: OrderRow) -> bool:
    """Return True if an order waits for a later session: no worker executes it before, and no client waits for it."""
    # An answer that an earlier release has kept for a key lacks the column.
    return order.get("waiting_for") == WaitingFor.SESSION


def as_uuid(value: UUID | str) -> UUID:
    """Return the id of an order's row, or of an answer kept for a key, which has texts."""
    return value if isinstance(value, UUID) else UUID(value)


def respond_to_placement(placement: Placement) -> Response:
    """Respond for a committed order: 202, or 200 if the order became final within the client's preferred wait.

    An order that rests ends the wait too: then the 202 has the order as it is. One that waits for its session ends it
    at once.
    Sweeping executes the order even if its message is lost, so executionScheduled is true for every 202.
    """
    order = request_facts().placed_order = placement.order
    request_facts().is_replayed = placement.is_replay
    order_id, account_id = as_uuid(order["id"]), as_uuid(order["account_id"])
    if placement.is_replay:
        give_back_placement()
    accepted = [] if waits_for_session(order) else [order_id]
    order = execute_placed(account_id, accepted, [] if placement.is_replay else accepted).get(order_id, order)
    is_over = is_final(order)
    body = {"order_id": order["id"], "execution_scheduled": not is_over, "order": order}
    headers = {"Location": f"/api/trading/orders/{order['id']}"}
    response = respond(PLACEMENT, body, 200 if is_over else 202, headers)
    return mark_replayed(response) if placement.is_replay else response


def execute_placed(account_id: UUID, accepted: Collection[UUID], placed: Sequence[UUID]) -> dict[UUID, OrderRow]:
    """Start the execution of the placed orders; return the accepted ones that are final or OPEN after the wait.

    Accepted are the orders that this request has placed, and those that an earlier request with the same key has.
    """
    wait_s = preferred_wait()
    if placed:
        _start_execution(dict.fromkeys(placed, account_id), is_awaited=wait_s is not None)
    if wait_s is None:
        return {}
    judged = wait_for_judgements(account_id, accepted, wait_s)

    @after_this_request
    def confirm_wait(response: Response) -> Response:
        response.headers["Preference-Applied"] = f"wait={wait_s}"
        return response

    return judged


def execute_later(order: OrderRow) -> None:
    """Start the execution of a placed order, unless it waits for its session; the response does not wait for it."""
    if not waits_for_session(order):
        _start_execution({order["id"]: order["account_id"]}, is_awaited=False)


def execute_changed(order: OrderRow) -> None:
    """Start the next look at an OPEN order that was changed; the response does not wait for it."""
    if order["status"] == OrderStatus.OPEN and order["due_at"] is not None:
        _start_execution({order["id"]: order["account_id"]}, is_awaited=False)


def _start_execution(accounts: Mapping[UUID, UUID], *, is_awaited: bool) -> None:
    """Send orders, each with its account, to the workers.

    With inline dispatch execute them here, after the response if no client waits.
    """
    mode = current_app.config["SETTINGS"].order_dispatch
    with stopwatch().step("dispatch"):
        if mode == "queue":
            dispatch(accounts, request_facts().request_id)
        elif mode == "inline" and is_awaited:
            execute_now(accounts)
    if mode == "inline" and not is_awaited:
        execute = tracing.carried(functools.partial(execute_now, accounts))

        @after_this_request
        def execute_after_response(response: Response) -> Response:
            response.call_on_close(execute)
            return response


def execute_matched(matches: Iterable[Match]) -> None:
    """Start the execution of orders that quotes have matched; the message of one order fills all of its account."""
    first = {match.account_id: match.order_id for match in matches}
    _start_execution({order_id: account_id for account_id, order_id in first.items()}, is_awaited=False)


def execute_now(accounts: Mapping[UUID, UUID]) -> None:
    """Execute orders in this process, each with its account and by itself; sweeping executes those that fail here."""
    for order_id, account_id in accounts.items():
        try:
            with buckets.of(account_id):
                execute_orders([order_id])
        except Exception as error:  # the order is accepted: the client gets no error
            logger.error("inline_execution_failed", order_id=str(order_id), exc_info=error)
