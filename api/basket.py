"""Place a basket: each of its orders is accepted or refused by itself, in a transaction of its own."""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from flask import Response
from marshmallow import ValidationError

from models.database import DatabaseUnavailable, Row
from models.rows import OrderRow
from runtime import metrics
from runtime.timing import Stopwatch, stopwatch, timed
from schemas.baskets import MAX_BASKET, BasketAnswerSchema
from trading.accounts.idempotency import IdempotencyKey, claim_key, release_key
from trading.orders.placement import place_order, placed_before
from trading.orders.placement_types import Placement
from trading.rules.decision import OrderRequest
from trading.rules.errors import NotFound

from .dispatching import execute_placed, is_final, market, waits_for_session
from .http.errors import HttpRefusal, invalid, problem_document
from .http.facts import request_facts
from .http.idempotency import idempotency_key, mark_replayed
from .http.placement_log import Measured, Refusal, log_accepted, log_refused
from .http.rate_limits import count_placements, too_many_placements
from .http.responses import respond

BASKET_ANSWER = BasketAnswerSchema()

Item = dict[str, Any] | HttpRefusal  # the fields of an order, or its refusal
Result = dict[str, Any]  # one entry of `results`


def place_basket(account_id: UUID, given: Sequence[dict[str, Any] | ValidationError]) -> Response:
    """Place the orders of a basket, start their execution, and respond with a result for each order.

    With an Idempotency-Key the basket claims the key before its first order, and each order has a key of its
    own, kept with the order: a retry after a broken connection returns the results of the orders that were
    placed, and places the rest. The whole basket is refused if the rate limit lets no order through, and if
    the database fails before any order was accepted.
    """
    items = [invalid(item.messages) if isinstance(item, ValidationError) else item for item in given]
    key = idempotency_key({"orders": [item if isinstance(item, dict) else None for item in items]})
    keys = key.parts(MAX_BASKET) if key else []
    answered = claim_key(account_id, key, keys) if key else {}
    allowed = count_placements(len(items) - len(answered))
    results = _results(account_id, items, keys, answered, allowed) if allowed or answered else []
    if key and all(400 <= result["status"] < 500 for result in results):
        release_key(account_id, key)
    if not results:
        raise too_many_placements()
    return _respond(account_id, results)


def _results(
    account_id: UUID, items: Sequence[Item], keys: Sequence[IdempotencyKey], answered: Mapping[int, Row], allowed: int
) -> list[Result]:
    """Place the orders without an earlier result, refuse those beyond the rate limit, and return all results."""
    metrics.of(metrics.PLACEMENTS, "replayed").inc(len(answered))
    results: list[Result] = []
    for index, item in enumerate(items):
        if index in answered:
            results.append(_accepted(Placement(cast(OrderRow, answered[index]), is_replay=True)))
        else:
            key = keys[index] if keys else None
            results.append(_place(account_id, item if allowed > 0 else too_many_placements(), key, results))
            allowed -= 1
    return results


def _place(account_id: UUID, item: Item, key: IdempotencyKey | None, before: Sequence[Result]) -> Result:
    """Place an order, log it and return its result; after a database failure no further order is tried."""
    if before and before[-1]["status"] == 503:
        return before[-1]
    try:
        with timed() as watch, watch.step("place"):
            result = _accepted(_placement(account_id, item, key))
    except NotFound:  # the account is unknown: the whole basket is refused
        raise
    except DatabaseUnavailable as error:
        if all(other["status"] != 202 for other in before):
            raise
        result = _refused(error)
    except Exception as error:  # noqa: BLE001  it is logged; the other orders still need their results
        result = _refused(error)
    _log(account_id, item, result, watch)
    stopwatch().add(watch)
    return result


def _log(account_id: UUID, item: Item, result: Result, watch: Stopwatch) -> None:
    request_facts().placement_is_logged = True
    measured = Measured(result["status"], watch.steps["place"], watch)
    if "order" in result:
        log_accepted(result["order"], measured, is_replay=result["is_replay"])
    else:
        problem = result["problem"]
        wanted = OrderRequest(**item) if isinstance(item, dict) else None
        log_refused(
            Refusal(problem["code"], list(problem.get("errors") or problem.get("fields") or ()), account_id, wanted),
            measured,
        )


def _placement(account_id: UUID, item: Item, key: IdempotencyKey | None) -> Placement:
    if isinstance(item, HttpRefusal):
        # An equal basket may have placed an order beyond the limit after this basket read the earlier results.
        placement = placed_before(account_id, key) if key and item.code == "rate_limited" else None
        if placement is None:
            raise item
        return placement
    return place_order(account_id, OrderRequest(**item), **market(), idempotency_key=key)


def _accepted(placement: Placement) -> Result:
    return {
        "status": 202,
        "order_id": placement.order["id"],
        "execution_scheduled": True,
        "order": placement.order,
        "is_replay": placement.is_replay,
    }


def _refused(error: Exception) -> Result:
    document = problem_document(error)
    return {"status": document["status"], "problem": document}


def _respond(account_id: UUID, results: Sequence[Result]) -> Response:
    accepted = {UUID(str(result["order_id"])): result for result in results if result["status"] == 202}
    placed = {order_id for order_id, result in accepted.items() if not result["is_replay"]}
    for_now = [order_id for order_id, result in accepted.items() if not waits_for_session(result["order"])]
    to_execute = [order_id for order_id in for_now if order_id in placed]
    for order_id, order in execute_placed(account_id, for_now, to_execute).items():
        accepted[order_id] |= {"order": order}
        if is_final(order):
            accepted[order_id] |= {"status": 200, "execution_scheduled": False}
    response = respond(BASKET_ANSWER, {"results": results})
    return mark_replayed(response) if accepted and not placed else response
