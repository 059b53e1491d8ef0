"""An account's matched orders fill together, in the order of their matches, and before what is PENDING."""

import threading
from decimal import Decimal

import pytest

from runtime.timing import Stopwatch
from tests.support.processes import wait_until
from tests.support.trading import at_once, execute, one, order_now, rows, run
from tests.trading.execution.market import quote, rest, state
from trading.execution import second_look
from trading.execution.awaiting import Await
from trading.execution.coalescing import execute_promptly
from trading.execution.executing import Outcome, execute_orders
from trading.execution.sweeping import MAX_ATTEMPTS, SweepCounts, sweep_once
from trading.upkeep import verify
from trading.upkeep.backlog import count_pending

D = Decimal


@pytest.fixture(autouse=True)
def ledgers_are_right(clean):
    yield
    assert verify.verify() == []


@pytest.fixture(autouse=True)
def far_quotes(clean):
    quote("90.00", "110.00", "100.00")
    quote("90.00", "110.00", "100.00", symbol="TCS")


def resting(trader, price, side="BUY", **terms):
    order = rest(trader, side, 1, price=price, **terms)
    assert execute(order).opened == 1
    return order


def cross(symbol="RELIANCE", ask="90.00"):
    assert quote("80.00", ask, "100.00", symbol=symbol).matched > 0


def statuses(*orders):
    return [order_now(order)["status"] for order in orders]


def attempts(*orders):
    return [order_now(order)["attempts"] for order in orders]


def turns(*orders):
    """Return the places of the orders among the executions, from the numbers of their events."""
    ids = [str(order["id"]) for order in orders]
    found = rows("SELECT data->>'id' AS id FROM event WHERE type IN ('order.executed', 'order.rejected') ORDER BY id")
    told = [row["id"] for row in found]
    return [told.index(order_id) for order_id in ids]


def poison(*orders):
    return "NEW.id IN (" + ", ".join(f"'{order['id']}'" for order in orders) + ")"


def test_the_message_of_one_matched_order_fills_all_of_its_account(trader, account):
    first, second = resting(trader, "100.00"), resting(trader, "99.00")
    other = resting(account().id, "99.00")
    cross()
    assert execute(second) == Outcome(2, 0, 0)
    assert statuses(first, second, other) == ["EXECUTED", "EXECUTED", "OPEN"]
    assert execute(other) == Outcome(1, 0, 0)


def test_matched_orders_fill_by_their_matches_and_before_the_pending_ones(trader):
    """The balance suffices for the profit's sake only: each order's turn is seen in the ledger."""
    late, early = resting(trader, "100.00"), resting(trader, "100.00", symbol="TCS")
    pending = rest(trader, "SELL", 2, price="70.00")
    cross("TCS")
    cross("RELIANCE")
    run("UPDATE trading_order SET placed_at = placed_at - interval '1 minute' WHERE id = %s", pending["id"])
    execute(pending, late)
    assert statuses(early, late, pending) == ["EXECUTED"] * 3
    # The sale closes what the matched order has bought, and opens one more.
    assert one("SELECT quantity FROM position WHERE symbol = 'RELIANCE'") == -1
    kinds = rows("SELECT kind FROM fund_transaction WHERE order_id = %s ORDER BY id", pending["id"])
    assert "LOSS" in [row["kind"] for row in kinds]


def test_a_matched_order_fills_at_its_match_price_and_at_nothing_else(trader):
    order = resting(trader, "100.00")
    cross()
    quote("50.00", "51.00", "50.50")
    execute(order)
    assert state(order) == ("EXECUTED", D("100.00"))


def test_a_matched_order_is_filled_whenever_it_is_due(trader):
    order, other = resting(trader, "100.00"), resting(trader, "99.00")
    cross()
    run("UPDATE trading_order SET due_at = market_now() + interval '1 hour' WHERE id = %s", order["id"])
    execute(other)
    assert statuses(order, other) == ["EXECUTED", "EXECUTED"]


def test_a_matched_order_waits_for_an_earlier_one_of_its_account_that_is_locked(trader, connect):
    first, second = resting(trader, "100.00", symbol="TCS"), resting(trader, "100.00")
    cross("TCS")
    cross()
    holder = connect()
    holder.cursor().execute("SELECT FROM trading_order WHERE id = %s FOR NO KEY UPDATE", (str(first["id"]),))
    assert execute(second) == Outcome(0, 0, 1)
    holder.rollback()
    assert execute(second) == Outcome(2, 0, 0)


def test_matched_orders_of_a_busy_account_keep_their_time(trader, connect):
    order = resting(trader, "100.00")
    cross()
    due_at = order_now(order)["due_at"]
    holder = connect()
    holder.cursor().execute("SELECT FROM account FOR NO KEY UPDATE")
    assert sweep_once(limit=50) == SweepCounts(busy=1)
    assert (order_now(order)["due_at"], order_now(order)["retry_at"], attempts(order)) == (due_at, None, [0])
    holder.rollback()
    assert sweep_once(limit=50).executed == 1


def test_pending_orders_of_a_busy_account_are_due_a_little_later(trader, connect):
    order = rest(trader, "BUY", 1, price="100.00")
    holder = connect()
    holder.cursor().execute("SELECT FROM account FOR NO KEY UPDATE")
    assert sweep_once(limit=50) == SweepCounts(busy=1)
    assert order_now(order)["due_at"] > order["due_at"]
    holder.rollback()


def test_a_matched_order_whose_fill_keeps_raising_is_rejected_and_blocks_its_account_no_longer(trader, trigger):
    bad, behind = resting(trader, "100.00", symbol="TCS"), resting(trader, "100.00")
    cross("TCS")
    cross()
    trigger(poison(bad), "RAISE EXCEPTION 'poison'")
    for _ in range(MAX_ATTEMPTS):
        assert sweep_once(limit=50).failed == 1
        assert statuses(bad, behind) == ["OPEN", "OPEN"]
    assert attempts(bad, behind) == [MAX_ATTEMPTS, 0]
    sweep_once(limit=50)
    sweep_once(limit=50)
    assert statuses(bad, behind) == ["REJECTED", "EXECUTED"]
    assert order_now(bad)["rejection_reason"] == "execution_failed"


def test_a_matched_poison_order_does_no_harm_to_the_placements_of_its_account(trader, trigger):
    bad = resting(trader, "100.00")
    cross()
    trigger(poison(bad), "RAISE EXCEPTION 'poison'")
    placed = rest(trader, "BUY", 1, price="120.00", symbol="TCS")
    assert sweep_once(limit=50).executed == 1
    assert statuses(bad, placed) == ["OPEN", "EXECUTED"]
    assert attempts(bad) == [1]
    later = rest(trader, "BUY", 1, price="120.00", symbol="TCS")
    assert execute(later) == Outcome(1, 0, 0)  # a suspect is not taken along


def test_an_order_that_is_tried_alone_takes_no_matched_order_along(trader, trigger):
    bad = resting(trader, "100.00")
    placed = rest(trader, "BUY", 1, price="120.00", symbol="TCS")
    cross()
    trigger(poison(bad), "RAISE EXCEPTION 'poison'")
    assert sweep_once(limit=1) == SweepCounts(claimed=1, executed=1)
    assert statuses(bad, placed) == ["OPEN", "EXECUTED"]


def test_a_message_that_names_a_resting_order_does_nothing(trader):
    order = resting(trader, "99.00")
    before = order_now(order)
    execute_promptly(order["id"])
    assert order_now(order) == before


def test_an_order_that_this_process_opened_is_filled_by_a_later_message(trader):
    order = rest(trader, "BUY", 1, price="100.00")
    execute_promptly(order["id"], trader)
    assert statuses(order) == ["OPEN"]
    cross()
    execute_promptly(order["id"], trader)
    assert statuses(order) == ["EXECUTED"]


def test_resting_orders_are_no_backlog(trader):
    first, _ = resting(trader, "100.00"), resting(trader, "10.00")
    assert count_pending() == 0
    cross()
    assert count_pending() == 1
    execute(first)
    assert count_pending() == 0


def test_four_workers_fill_the_matched_orders_of_many_accounts_once_each_and_in_order(trader, account):
    traders = [trader, *(account().id for _ in range(4))]
    orders = {one_of: [] for one_of in traders}
    for number in range(40):
        one_of = traders[number % 5]
        orders[one_of].append(resting(one_of, f"{109 - number // 5}.00"))
    for ask in ("107.50", "105.50", "90.00"):
        quote("80.00", ask, "108.00")
    every = [order["id"] for of_one in orders.values() for order in of_one]

    def work():
        for order_id in every:
            execute_orders([order_id])
        while count_pending():
            sweep_once(limit=7)

    at_once([work] * 4)
    assert one("SELECT sum(quantity) FROM position") == 40
    for of_one in orders.values():
        sequences = [order_now(order)["match_sequence"] for order in of_one]
        assert sequences == sorted(sequences)
        by_sequence = {}
        for order, turn, sequence in zip(of_one, turns(*of_one), sequences, strict=True):
            by_sequence.setdefault(sequence, []).append((turn, order))
        ends = [max(turn for turn, _ in group) for group in by_sequence.values()]
        starts = [min(turn for turn, _ in group) for group in by_sequence.values()]
        assert len(by_sequence) == 3
        assert all(end < start for end, start in zip(ends, starts[1:], strict=False))


def test_a_quote_that_crosses_an_order_while_it_opens_waits_for_the_opening_and_matches_it(trader, monkeypatch):
    order = rest(trader, "BUY", 1, price="100.00")
    is_judged, may_write, write = threading.Event(), threading.Event(), second_look.write_batch

    def write_later(batch):
        is_judged.set()
        assert may_write.wait(20)
        write(batch)

    monkeypatch.setattr(second_look, "write_batch", write_later)

    def cross_meanwhile():
        assert is_judged.wait(20)
        threading.Thread(target=release_when_waiting).start()
        return quote("80.00", "90.00", "100.00").matched

    def release_when_waiting():
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        try:
            wait_until(lambda: rows(waiting), timeout_s=0.8, what="the quote waits for the bucket")
        finally:
            may_write.set()

    outcome, matched = at_once([lambda: execute(order), cross_meanwhile])
    assert (outcome.opened, matched) == (1, 1)
    execute(order)
    assert state(order) == ("EXECUTED", D("100.00"))


def test_the_second_look_leaves_a_modified_order_that_a_quote_matched_meanwhile(trader):
    """A match before the modification's look is impossible; a claim of a matched order would change its price."""
    order = resting(trader, "100.00")
    cross()
    found = [second_look.OrderAndStock(order["id"], order["stock_id"])]
    batch = second_look.look_again(found, Stopwatch(), None)
    assert (batch.orders, batch.openings) == ([], [])
    assert statuses(order) == ["OPEN"]


def test_an_order_whose_account_is_busy_at_the_second_look_opens_once_it_is_free(trader, connect):
    order = rest(trader, "BUY", 1, price="100.00")
    holder = connect()
    holder.cursor().execute("SELECT FROM account FOR NO KEY UPDATE")
    found = [second_look.OrderAndStock(order["id"], order["stock_id"])]
    assert second_look.look_again(found, Stopwatch(), None).busy == {trader: [order["id"]]}
    threading.Timer(0.02, holder.rollback).start()
    batch = second_look.look_again(found, Stopwatch(), Await(trader, 5_000))
    assert len(batch.openings) == 1
