"""Close the positions that a request selects, each by an order of its own, and respond for all of them."""

import functools
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from flask import Response, request

from models.database import session
from models.rows import OrderRow
from runtime import metrics
from schemas.positions import ClosingsSchema
from trading.accounts.idempotency import IdempotencyKey, claim_key, release_key
from trading.accounts.portfolio import PositionFilter, list_position_ids
from trading.accounts.reading import account_exists
from trading.orders.closing import close_position
from trading.orders.placement_types import Placement
from trading.rules.errors import NotFound

from .dispatching import market
from .http.idempotency import idempotency_key, mark_replayed
from .http.rate_limits import count_placements, too_many_placements
from .http.responses import respond
from .results import Result, accepted, are_refused, execute_accepted, result_of

CLOSINGS = ClosingsSchema()
MAX_CLOSED = 500


def close_selected(account_id: UUID, body: dict[str, Any]) -> Response:
    """Close the selected positions of an account.

    With an Idempotency-Key the request claims the key before its first order, and each order has a key of its own: a
    retry returns the results of the orders that were placed, and closes the rest.
    """
    key = idempotency_key({name: value for name, value in body.items() if value})
    cancels = body.pop("cancel_open_orders")
    wanted = PositionFilter(**body)
    answered = _answered(account_id, key, wanted) if key else {}
    chosen = _open_positions(account_id, wanted, answered)
    results = [accepted(Placement(row, is_replay=True)) | {"position_id": row_id} for row_id, row in answered.items()]
    is_allowed = not chosen or count_placements(1) > 0
    for position_id in chosen[:MAX_CLOSED] if is_allowed or answered else []:
        close = functools.partial(_close, account_id, position_id, key, is_allowed=is_allowed, cancels=cancels)
        results.append(result_of(account_id, close, results) | {"position_id": position_id})
    if key and are_refused(results):
        release_key(account_id, key)
    if chosen and not results:
        raise too_many_placements()
    return _respond(account_id, results, has_more=len(chosen) > MAX_CLOSED)


def _answered(account_id: UUID, key: IdempotencyKey, wanted: PositionFilter) -> dict[UUID, OrderRow]:
    """Claim a key; return the orders that earlier requests with it placed, by position, flat ones included."""
    with session():
        position_ids = list_position_ids(account_id, wanted)
    found = claim_key(account_id, key, [_part(key, position_id) for position_id in position_ids])
    metrics.of(metrics.PLACEMENTS, "replayed").inc(len(found))
    return {position_ids[index]: cast(OrderRow, row) for index, row in found.items()}


def _part(key: IdempotencyKey, position_id: UUID) -> IdempotencyKey:
    """Return the key of one position's order; no client can send such a key."""
    return replace(key, scope=f"{key.scope}#{position_id}")


def _open_positions(account_id: UUID, wanted: PositionFilter, answered: Collection[UUID]) -> list[UUID]:
    """Return the ids of the open positions without an order yet, and one more than may be closed; or NotFound."""
    with session():
        found = list_position_ids(account_id, replace(wanted, is_open=True), MAX_CLOSED + 1 + len(answered))
        if not found and not account_exists(account_id):
            raise NotFound
    return [position_id for position_id in found if position_id not in answered]


def _close(
    account_id: UUID, position_id: UUID, key: IdempotencyKey | None, *, is_allowed: bool, cancels: bool
) -> Placement:
    if not is_allowed:
        raise too_many_placements()
    part = _part(key, position_id) if key else None
    return close_position(account_id, position_id, **market(), idempotency_key=part, cancel_open_orders=cancels)


def _respond(account_id: UUID, results: Sequence[Result], *, has_more: bool) -> Response:
    is_replay = execute_accepted(account_id, results)
    body = {
        "placed": [result for result in results if "order" in result],
        "refused": [_at_its_own(result) for result in results if "problem" in result],
        "has_more": has_more,
    }
    response = respond(CLOSINGS, body)
    return mark_replayed(response) if is_replay else response


def _at_its_own(refused: Result) -> Result:
    """Return a refusal whose problem names the position's own close."""
    path = request.path.removesuffix("/close")
    return refused | {"problem": refused["problem"] | {"instance": f"{path}/{refused['position_id']}/close"}}
