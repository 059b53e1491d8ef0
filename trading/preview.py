"""Work out what an order would take, with the code that places it, and place nothing."""

from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from models.database import db, session
from trading.decision import Decision, OrderRequest, check_cover
from trading.errors import Refused
from trading.placement import decide_on, refuse_early
from trading.placement_statements import read_state
from trading.timing import Stopwatch


class Preview(NamedTuple):
    """A decision that was not carried out, the margin available to it, and why it would be refused, if it would."""

    decision: Decision
    available_margin: Decimal
    refusal: Refused | None


def preview_order(account_id: UUID, request: OrderRequest, *, calendar: str | None) -> Preview:
    """Work out what place_order would do; raises what leaves nothing to work out (NotFound, NoPrice …)."""
    with session(), db.atomic() as transaction:
        state = read_state(account_id, request, None)
        transaction.rollback()  # lets the account go, and the stock that was unknown
        refuse_early(state, calendar, Stopwatch())
        decision = decide_on(request, state)
        return Preview(decision, state["available_margin"], _refusal(request, decision, state["available_margin"]))


def _refusal(request: OrderRequest, decision: Decision, available_margin: Decimal) -> Refused | None:
    try:
        check_cover(request, decision, available_margin)
    except Refused as refusal:
        return refusal
    return None
