"""The judgement of a run: each order's steps and its match against the kept quotes."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.matching_stress.connection import Link
from tests.matching_stress.reckoning import Crossing, Terms, Tick, look, walk

TICKS = "SELECT * FROM stress.tick ORDER BY stock_id, number"
STEPS = "SELECT * FROM stress.step ORDER BY order_id, id"
# The number of the transaction that filled it: it was given under the account's lock, so that it tells the turn.
ORDERS = "SELECT *, xmin::text::bigint AS filled_by FROM trading_order"
MAX_SHOWN = 10
REFUSALS = ("insufficient_margin", "insufficient_holdings")  # of a matched order, for its account has lost meanwhile
Row = Mapping[str, Any]


@dataclass
class Judgement:
    """The counts of a run, and the violations as sentences."""

    matches: int = 0
    looks: int = 0
    ended: int = 0
    resting: int = 0
    missed: int = 0
    violations: list[str] = field(default_factory=list)


def judge(link: Link) -> Judgement:
    """Reckon every order of a run again."""
    ticks = defaultdict(list)
    for row in link.rows(TICKS):
        stock_id = row.pop("stock_id")
        ticks[stock_id].append(Tick(**row))
    steps = defaultdict(list)
    for row in link.rows(STEPS):
        steps[row["order_id"]].append(row)
    judgement = Judgement()
    orders = link.rows(ORDERS)
    for order in orders:
        for sentence in _violations(order, steps[order["id"]], ticks[order["stock_id"]], judgement):
            judgement.violations.append(f"order {order['id']} ({order['status']}, {order['order_type']}): {sentence}")
    judgement.violations += _out_of_turn(orders)
    return judgement


def _violations(order: Row, steps: Sequence[Row], ticks: Sequence[Tick], judgement: Judgement) -> Iterator[str]:
    """Follow an order through its steps: between an opening and the next step no quote may have crossed it."""
    opening: Row | None = None
    triggers = [step for step in steps if step["kind"] == "trigger"]
    judged = {step["writer"]: step["number"] for step in steps if step["kind"] == "judged"}
    steps = [
        {**step, "number": judged.get(step["writer"], step["number"])} if step["kind"] == "open" else step
        for step in steps
        if step["kind"] not in ("trigger", "judged", "release")
    ]
    for step in steps:
        if opening is not None:
            crossing = walk(_terms(order, opening), ticks[opening["number"] : step["number"]]).crossing
            if crossing is not None and not (step["kind"] == "end" and order["matched_at"] is not None):
                judgement.missed += 1
                yield f"opened at {opening['number']}, {step['kind']} at {step['number']}, missed {crossing}"
        if step["kind"] != "end" or order["matched_at"] is None:  # a matched order may be rejected
            opening = step if step["kind"] == "open" else None
    if order["matched_at"] is not None:
        judgement.matches += 1
        yield from _of_a_match(order, opening, ticks, judgement)
    elif order["status"] == "EXECUTED":
        judgement.looks += 1
        yield from _of_a_look(order, steps[-1], triggers, ticks)
    elif order["status"] == "OPEN":
        judgement.resting += 1
        yield from _of_a_resting_order(order, opening, ticks, judgement)
    elif order["status"] == "PENDING":
        yield "still PENDING at the end"
    else:
        judgement.ended += 1


def _of_a_match(order: Row, opening: Row | None, ticks: Sequence[Tick], judgement: Judgement) -> Iterator[str]:
    fill = order["fill"]
    if opening is None:
        yield f"matched by {fill['quoteNumber']} while it was not open"
        return
    expected = walk(_terms(order, opening), ticks[opening["number"] :]).crossing
    found = Crossing(fill["quoteNumber"], order["match_price"], fill["rule"])
    if expected != found:
        judgement.missed += expected is not None and expected.number < found.number
        yield f"opened at {opening['number']}, matched by {found} instead of {expected}; {_terms(order, opening)}"
        yield f"its opening {ticks[opening['number'] - 1]}"
    yield from _of_evidence(order, ticks)
    if order["status"] == "REJECTED" and order["rejection_reason"] in REFUSALS:
        return
    if order["status"] != "EXECUTED" or order["average_price"] != order["match_price"]:
        yield f"matched at {order['match_price']}, but {order['status']} at {order['average_price']}"


def _of_a_look(order: Row, step: Row, triggers: Sequence[Row], ticks: Sequence[Tick]) -> Iterator[str]:
    fires_now = any(trigger["writer"] == step["writer"] for trigger in triggers)
    was_triggered = step["is_triggered"] and not fires_now
    expected = look(_terms(order, {**step, "is_triggered": was_triggered}), ticks[step["number"] - 1])
    found = Crossing(step["number"], order["average_price"], order["fill"]["rule"])
    if step["kind"] != "look" or expected != found:
        yield f"filled by a look as {found} instead of {expected}"
    yield from _of_evidence(order, ticks)


def _of_evidence(order: Row, ticks: Sequence[Tick]) -> Iterator[str]:
    """Compare the prices that a fill names with those of its quote."""
    fill = order["fill"]
    tick = ticks[fill["quoteNumber"] - 1]
    named = [None if fill[name] is None else Decimal(fill[name]) for name in ("bid", "ask", "last")]
    if named != [tick.bid, tick.ask, tick.last]:
        yield f"its evidence {fill} is not {tick}"


def _of_a_resting_order(order: Row, opening: Row | None, ticks: Sequence[Tick], judgement: Judgement) -> Iterator[str]:
    if opening is None:
        yield "modified and never looked at again"
        return
    found = walk(_terms(order, opening), ticks[opening["number"] :])
    if found.crossing is not None:
        judgement.missed += 1
        yield f"opened at {opening['number']}, rests, missed {found.crossing}"
    if (order["triggered_at"] is not None) != (opening["is_triggered"] or found.triggered_by is not None):
        yield f"triggered at {order['triggered_at']}, by {found.triggered_by}"


def _terms(order: Row, step: Row) -> Terms:
    return Terms(
        order["side"], step["order_type"], step["price"], step["trigger_price"], step["is_triggered"], step["blind"],
        order["limit_fills"], step["expires_at"], step["protection"], step["cap"],
    )  # fmt: skip


def _out_of_turn(orders: Sequence[Row]) -> Iterator[str]:
    """Find matched orders that were filled before an earlier match of their account."""
    by_account = defaultdict(list)
    for order in orders:
        if order["matched_at"] is not None and order["executed_at"] is not None:
            by_account[order["account_id"]].append(order)
    for filled in by_account.values():
        filled.sort(key=lambda order: (order["match_sequence"], order["match_class"], order["placed_at"], order["id"]))
        for before, after in itertools.pairwise(filled):
            if after["filled_by"] < before["filled_by"]:
                yield f"order {after['id']} was filled before {before['id']}, which was matched earlier"
