"""Accept an order: check it, reserve margin, debit charges and write it PENDING, in one transaction.

A common order is placed at once, by one statement (placement_at_once). All others are placed in steps, which also
find out why an order is refused (placement_in_steps).
"""

from typing import cast
from uuid import UUID

from models.database import session
from models.rows import OrderRow
from runtime import metrics, tracing
from runtime.timing import stopwatch
from trading.accounts.idempotency import IdempotencyKey, find_answer, in_progress_refused
from trading.accounts.shares import within_share
from trading.events import publishing
from trading.orders.placement_at_once import place_at_once
from trading.orders.placement_in_steps import place_in_steps
from trading.orders.placement_types import DEFAULT_FILLS, FillSettings, Placement, PlacementContext
from trading.rules.decision import OrderRequest


@tracing.traced("place_order")
@within_share
def place_order(
    account_id: UUID,
    request: OrderRequest,
    *,
    calendar: str | None,
    fills: FillSettings = DEFAULT_FILLS,
    idempotency_key: IdempotencyKey | None = None,
) -> Placement:
    """Accept an order and return it, PENDING and committed; with a key that was used, return the first answer.

    Raises NotFound, DuplicateClientOrderId, AccountSuspended, NotSimulated, UnknownSymbol, MarketClosed, an error of
    order_checks.check_order, NoPrice, InsufficientHoldings, InsufficientMargin, IdempotencyConflict or
    IdempotencyInProgress; then nothing has changed.
    """
    context = PlacementContext(account_id, request, calendar, idempotency_key, fills)
    with in_progress_refused():
        placement = place_at_once(context)
        if placement is None:
            placement = place_in_steps(context)
            stopwatch().lap("commit")
    return announced(placement)


def placed_before(account_id: UUID, key: IdempotencyKey) -> Placement | None:
    """Return the placement that was answered to a key before, or None; places nothing.

    Raises IdempotencyConflict or IdempotencyInProgress.
    """
    with session():
        order = find_answer(account_id, key)
    return None if order is None else announced(Placement(cast(OrderRow, order), is_replay=True))


def announced(placement: Placement) -> Placement:
    """Count a placement that is committed, tell the account's listeners of a new order, and return the placement."""
    metrics.of(metrics.PLACEMENTS, "replayed" if placement.is_replay else "accepted").inc()
    if not placement.is_replay:
        tracing.remember(placement.order["id"])
        publishing.nudge([placement.order["account_id"]])
    return placement
