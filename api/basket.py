"""Place a basket: each of its orders is accepted or refused by itself, in a transaction of its own."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from flask import Response
from marshmallow import ValidationError

from models.database import Row
from models.rows import OrderRow
from runtime import metrics
from schemas.baskets import MAX_BASKET, BasketAnswerSchema
from trading.accounts.idempotency import IdempotencyKey, claim_key, release_key
from trading.orders.placement import place_order, placed_before
from trading.orders.placement_types import Placement
from trading.rules.decision import OrderRequest

from .dispatching import market
from .http.errors import HttpRefusal, invalid
from .http.idempotency import idempotency_key, mark_replayed
from .http.rate_limits import count_placements, too_many_placements
from .http.responses import respond
from .results import Result, accepted, are_refused, execute_accepted, result_of

BASKET_ANSWER = BasketAnswerSchema()

Item = dict[str, Any] | HttpRefusal  # the fields of an order, or its refusal


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
    if key and are_refused(results):
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
            results.append(accepted(Placement(cast(OrderRow, answered[index]), is_replay=True)))
        else:
            key = keys[index] if keys else None
            judged = item if allowed > 0 else too_many_placements()
            place = functools.partial(_placement, account_id, judged, key)
            wanted = OrderRequest(**item) if isinstance(item, dict) else None
            results.append(result_of(account_id, place, results, wanted))
            allowed -= 1
    return results


def _placement(account_id: UUID, item: Item, key: IdempotencyKey | None) -> Placement:
    if isinstance(item, HttpRefusal):
        # An equal basket may have placed an order beyond the limit after this basket read the earlier results.
        placement = placed_before(account_id, key) if key and item.code == "rate_limited" else None
        if placement is None:
            raise item
        return placement
    return place_order(account_id, OrderRequest(**item), **market(), idempotency_key=key)


def _respond(account_id: UUID, results: Sequence[Result]) -> Response:
    is_replay = execute_accepted(account_id, results)
    response = respond(BASKET_ANSWER, {"results": results})
    return mark_replayed(response) if is_replay else response
