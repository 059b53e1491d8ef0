"""The results of several placements in one request: each is accepted or refused by itself, in its own transaction."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from models.database import DatabaseUnavailable
from runtime.timing import Stopwatch, stopwatch, timed
from trading.orders.placement_types import Placement
from trading.rules.decision import OrderRequest
from trading.rules.errors import NotFound

from .dispatching import execute_placed, is_final, waits_for_session
from .http.errors import problem_document
from .http.facts import request_facts
from .http.placement_log import Measured, Refusal, log_accepted, log_refused

Result = dict[str, Any]  # one placement's, accepted or refused


def result_of(
    account_id: UUID, place: Callable[[], Placement], before: Sequence[Result], wanted: OrderRequest | None = None
) -> Result:
    """Place an order, log it and return its result; after a database failure no further order is tried.

    The line of a refusal names the order that was wanted, if it is given.
    """
    if before and before[-1]["status"] == 503:
        return before[-1]
    try:
        with timed() as watch, watch.step("place"):
            result = accepted(place())
    except NotFound:  # the account is unknown: the whole request is refused
        raise
    except DatabaseUnavailable as error:
        if all(other["status"] != 202 for other in before):
            raise
        result = _refused(error)
    except Exception as error:  # noqa: BLE001  it is logged; the other orders still need their results
        result = _refused(error)
    _log(account_id, result, wanted, watch)
    stopwatch().add(watch)
    return result


def _log(account_id: UUID, result: Result, wanted: OrderRequest | None, watch: Stopwatch) -> None:
    request_facts().placement_is_logged = True
    measured = Measured(result["status"], watch.steps["place"], watch)
    if "order" in result:
        log_accepted(result["order"], measured, is_replay=result["is_replay"])
    else:
        problem = result["problem"]
        fields = list(problem.get("errors") or problem.get("fields") or ())
        log_refused(Refusal(problem["code"], fields, account_id, wanted), measured)


def accepted(placement: Placement) -> Result:
    """Return the result of an accepted order."""
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


def execute_accepted(account_id: UUID, results: Iterable[Result]) -> bool:
    """Start the execution of the accepted orders, and update the results of those that are final after the wait.

    Return True if orders were accepted, all of them by earlier requests with the same key.
    """
    found = {UUID(str(result["order_id"])): result for result in results if result["status"] == 202}
    placed = {order_id for order_id, result in found.items() if not result["is_replay"]}
    for_now = [order_id for order_id, result in found.items() if not waits_for_session(result["order"])]
    to_execute = [order_id for order_id in for_now if order_id in placed]
    for order_id, order in execute_placed(account_id, for_now, to_execute).items():
        found[order_id] |= {"order": order}
        if is_final(order):
            found[order_id] |= {"status": 200, "execution_scheduled": False}
    return bool(found) and not placed


def are_refused(results: Iterable[Result]) -> bool:
    """Return True if every result is a refusal, so that the request has had no effect and may be judged anew."""
    return all(400 <= result["status"] < 500 for result in results)
