"""Preview an order: decide on it with the code that places it, and place nothing."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from trading.orders.placement_in_steps import decide_on, refuse_early
from trading.orders.placement_statements import look_at_state
from trading.orders.placement_types import PlacementContext
from trading.rules.decision import Decision, OrderRequest, check_cover
from trading.rules.errors import NoPrice, Refused


class Preview(NamedTuple):
    """A decision that was not carried out, the available margin, and the refusal of a placement, if any."""

    decision: Decision
    available_margin: Decimal
    refusal: Refused | None


def preview_order(account_id: UUID, request: OrderRequest, *, calendar: str | None) -> Preview:
    """Return the decision that place_order would make at this moment; lock and write nothing.

    Raises NotFound. An order without a price has no decision: then raises the refusal of place_order.
    """
    state = look_at_state(PlacementContext(account_id, request))
    early = _refusal(refuse_early, state, calendar)
    try:
        decision = decide_on(request, state)
    except NoPrice as refusal:
        raise early or refusal from None
    available_margin = state.available_margin
    return Preview(decision, available_margin, early or _refusal(check_cover, request, decision, available_margin))


def _refusal(check: Callable[..., None], *given: Any) -> Refused | None:
    """Return the refusal that a check raises, or None."""
    try:
        check(*given)
    except Refused as refusal:
        return refusal
    return None
