"""The deliberate defects in the product's own functions, put in for a block."""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest import mock

from tests.matching_stress.settings import Mutation
from trading.accounts.ledgers import lock_ledgers
from trading.day import release
from trading.execution import claiming, second_look
from trading.matching import buckets, crossing
from trading.orders import modification, open_orders

WATCH_CLEARED = "watch_price = NULL, watch_trigger = NULL, "
IS_DUE_OPEN = "(status = 'OPEN' AND due_at <= market_now())"


@contextlib.contextmanager
def defect(mutation: Mutation) -> Iterator[None]:
    """Break the product in one way while the block runs."""
    with contextlib.ExitStack() as stack:
        for module, name, value in _changes(mutation):
            assert getattr(module, name) != value
            stack.enter_context(mock.patch.object(module, name, value))
        yield


def _changes(mutation: Mutation) -> list[tuple[Any, str, Any]]:
    match mutation:
        case Mutation.NO_BUCKET_LOCK:
            return [(buckets, "lock_shared", lambda stock_ids: list(stock_ids))]
        case Mutation.MODIFY_KEEPS_WATCH:
            return [(modification, "UPDATE", modification.UPDATE.replace(WATCH_CLEARED, ""))]
        case Mutation.SECOND_LOOK_CLAIMS_MATCHED:
            look = claiming.Look(f"({claiming.IS_PENDING} OR {IS_DUE_OPEN})", claiming.SECOND.lists)
            return [(second_look, "SECOND", look), (claiming, "SECOND", look)]
        case Mutation.CANCEL_WAITS_FOR_ACCOUNT:
            return [(open_orders, "lock_free_ledgers", lock_ledgers)]
        case Mutation.MATCHING_SKIPS_LOCKED:
            return [(crossing, "LOCK", f"{crossing.LOCK} SKIP LOCKED")]
        case Mutation.RELEASE_SKIPS_LOCKED:
            return [(release, "_in_turn", lambda orders, _: orders)]
        case Mutation.LOCK_AND_READ_AT_ONCE:
            raise ValueError("the product has no place for this defect")
    return []
