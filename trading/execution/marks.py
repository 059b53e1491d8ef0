"""The statements that write the judgements of looks: triggers, evidence, openings, and ends without a fill."""

import json
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from models.rows import OrderRow
from trading.accounts.ledgers import write_rows
from trading.execution.looks import Judged
from trading.orders.order_statements import end_orders
from trading.rules.resting import Verdict

# Written before an order's status, so that its trigger is told by an event of its own. A trigger is never unset.
MARK = """
UPDATE trading_order
SET triggered_at = CASE WHEN mark.triggers THEN coalesce(triggered_at, (SELECT statement_now())) ELSE triggered_at END,
    trigger_is_told = trigger_is_told OR mark.triggers OR triggered_at IS NOT NULL,
    fill = coalesce(mark.fill, trading_order.fill)
FROM (VALUES %s) AS mark (id, account_id, triggers, fill)
WHERE trading_order.id = mark.id AND (trading_order.account_id = mark.account_id) IS TRUE
"""
# The order rests on: its watch is the matching's.
TELL = """
UPDATE trading_order SET trigger_is_told = triggered_at IS NOT NULL, due_at = NULL, retry_at = NULL, attempts = 0
FROM (VALUES %s) AS told (id, account_id)
WHERE trading_order.id = told.id AND (trading_order.account_id = told.account_id) IS TRUE
"""
OPEN = """
UPDATE trading_order
SET status = 'OPEN', watch_price = opened.watch_price, watch_trigger = opened.watch_trigger,
    waiting_for = opened.waiting_for, opened_number = opened.number, protection_price = opened.protection_price,
    expires_at = least(trading_order.expires_at, opened.ends_at),
    due_at = NULL, retry_at = NULL, attempts = 0, updated_at = (SELECT statement_now())
FROM (VALUES %s) AS opened (id, account_id, watch_price, watch_trigger, waiting_for, number, protection_price, ends_at)
WHERE trading_order.id = opened.id AND (trading_order.account_id = opened.account_id) IS TRUE
"""


class Opening(NamedTuple):
    """An order that rests from now on, with the verdict that names the awaited price, trigger or quote.

    It expires at ends_at, None if its end stays as it is.
    """

    order: OrderRow
    verdict: Verdict
    ends_at: datetime | None


class End(NamedTuple):
    """An order that ends without a fill, as CANCELLED for a reason or as EXPIRED."""

    order: OrderRow
    status: str
    end_reason: str | None


def write_marks(orders: Iterable[OrderRow], looks: dict[UUID, Judged], filled: set[UUID]) -> None:
    """Write the triggers that fire or were not told yet, and the evidence of the filled orders."""
    marks = []
    for order in orders:
        judged = looks.get(order["id"])
        triggers = judged is not None and judged.verdict.triggers
        is_untold = order["triggered_at"] is not None and not order["trigger_is_told"]
        fill = None
        if judged is not None and judged.verdict.rule is not None and order["id"] in filled:
            fill = json.dumps(judged.quote.evidence(judged.verdict.rule))
        if triggers or is_untold or fill is not None:
            marks.append((order["id"], order["account_id"], triggers, fill))
    write_rows(MARK, marks, template="(%s, %s, %s, %s::jsonb)")


def tell(orders: Iterable[OrderRow]) -> None:
    """Tell the triggers of orders that rest on."""
    write_rows(TELL, [(order["id"], order["account_id"]) for order in orders])


def open_orders(openings: Iterable[Opening]) -> None:
    """Let orders rest, watched as their verdicts say."""
    rows = [
        (order["id"], order["account_id"], verdict.watch_price, verdict.watch_trigger, verdict.waiting_for,
         verdict.opened_number, verdict.protection_price, ends_at)
        for order, verdict, ends_at in openings
    ]  # fmt: skip
    template = "(%s, %s, %s::numeric, %s::numeric, %s::text, %s::bigint, %s::numeric, %s::timestamptz)"
    write_rows(OPEN, rows, template=template)


def write_ends(ends: Iterable[End]) -> None:
    """Write the ends of orders whose money was given back."""
    by_reason = sorted(ends, key=lambda end: end.end_reason or "")
    for reason, group in groupby(by_reason, key=lambda end: end.end_reason):
        end_orders([(end.order, end.status, None) for end in group], end_reason=reason)
