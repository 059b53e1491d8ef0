"""Accounts of all buckets trade: placements, executions, quotes, sweeps, the day's work and the proof of the books."""

from decimal import Decimal
from types import SimpleNamespace

import pytest

from actors import ticker
from models import buckets, partitions
from models.database import session
from tests.buckets.conftest import SHARDS
from tests.support.trading import at_once, buy, cancel, close, execute, hold, modify, one, rows, run, sell
from trading.day import conversion, reset
from trading.events import retention
from trading.execution import expiry
from trading.execution.coalescing import execute_promptly
from trading.execution.sweeping import sweep_once
from trading.matching import feed, level_sweep
from trading.matching.feed import MarketRules
from trading.upkeep import backlog, due_orders
from trading.upkeep.detaching import detach_oldest
from trading.upkeep.gathering import CannotDetach
from trading.upkeep.verify import check_and_note, verify

STATUSES = "SELECT status FROM trading_order ORDER BY placed_at, id"


@pytest.fixture
def accounts(open_in):
    """Open one account in each bucket."""
    return [open_in(shard) for shard in range(SHARDS)]


@pytest.fixture
def watchers(open_in):
    """Open one account in each bucket whose orders wait for quotes."""
    return [open_in(shard, fill_model="QUOTES") for shard in range(SHARDS)]


def in_each(accounts, action):
    """Return the results of an action for each account, within its bucket."""
    results = []
    for account_id in accounts:
        with buckets.of(account_id):
            results.append(action(account_id))
    return results


def statuses(accounts):
    return in_each(accounts, lambda _: [row["status"] for row in rows(STATUSES)])


def test_an_order_is_placed_and_executed_in_the_bucket_of_its_account(accounts):
    placed = in_each(accounts, lambda account_id: buy(account_id, 10, "100.00"))
    assert len({order["order_number"] for order in placed}) == SHARDS
    assert in_each(accounts[2:3], lambda _: execute(placed[2]).executed) == [1]
    assert statuses(accounts) == [["PENDING"], ["PENDING"], ["EXECUTED"], ["PENDING"]]
    for order in placed:
        execute_promptly(order["id"], order["account_id"])
    assert statuses(accounts) == [["EXECUTED"]] * SHARDS
    assert one("SELECT count(*) FROM stock") == 1
    assert verify() == []


def test_an_order_of_another_bucket_is_not_executed(accounts):
    with buckets.of(accounts[0]):
        order = buy(accounts[0], 10, "100.00")
    with buckets.of(accounts[1]):
        assert execute(order).executed == 0
    execute_promptly(order["id"])  # a message without its account
    assert statuses(accounts)[0] == ["PENDING"]


def test_a_sweep_is_of_one_bucket_and_they_may_run_at_once(accounts):
    in_each(accounts, lambda account_id: buy(account_id, 10, "100.00"))
    assert backlog.count_pending() == SHARDS
    assert len(due_orders.oldest_due(3)) == 3

    def sweep(shard):
        with buckets.at(shard):
            return sweep_once(limit=10, exclusive=True).executed

    assert at_once([lambda shard=shard: sweep(shard) for shard in range(SHARDS)]) == [1] * SHARDS
    assert backlog.count_pending() == 0


def test_a_tick_in_one_bucket_keeps_none_out_of_another(accounts, own_url):
    in_each(accounts, lambda account_id: buy(account_id, 10, "100.00"))
    swept = {}

    def sweep_the_others():
        for shard in (1, 2):
            with buckets.at(shard):
                swept[shard] = sweep_once(limit=10, exclusive=True).executed

    with buckets.at(1), session():
        from models.database import db, fetch_one
        from trading.execution.sweeping import TICK_LOCK_KEY

        with db.atomic():
            fetch_one("SELECT pg_advisory_xact_lock(%s)", (TICK_LOCK_KEY + 1,))
            at_once([sweep_the_others])
    assert swept == {1: 0, 2: 1}


@pytest.mark.parametrize("has_book", [False, True])
def test_one_quote_matches_the_orders_of_all_buckets(watchers, has_book):
    feed.set_quotes([("NSE", "RELIANCE", Decimal("110.00"))])
    in_each(watchers, lambda account_id: execute(buy(account_id, 10, "100.00")))
    assert statuses(watchers) == [["OPEN"]] * SHARDS
    told = []
    book = {"bid_price": Decimal("98.95"), "ask_price": Decimal("99.05")} if has_book else {}
    quote = feed.GivenQuote("NSE", "RELIANCE", Decimal("99.00"), **book)
    reception = feed.receive_quotes([quote], MarketRules(), tell=told.extend)
    assert reception.matched == SHARDS
    assert {match.account_id for match in told} == set(watchers)
    assert in_each(watchers, lambda _: one("SELECT match_sequence FROM trading_order"))
    for match in told:
        execute_promptly(match.order_id, match.account_id)
    assert statuses(watchers) == [["EXECUTED"]] * SHARDS
    assert verify() == []


def test_the_level_sweep_finds_what_a_quote_has_missed(watchers):
    feed.set_quotes([("NSE", "RELIANCE", Decimal("110.00"))])
    in_each(watchers, lambda account_id: execute(buy(account_id, 10, "100.00")))
    run("UPDATE stock SET last_price = 99")
    with buckets.at(3):
        found = level_sweep.run_once(MarketRules())
    assert {match.account_id for match in found} == set(watchers)  # one quote, and so one transaction for all buckets
    with buckets.at(1):
        assert level_sweep.run_once(MarketRules()) == []


def test_orders_expire_bucket_by_bucket(watchers):
    in_each(watchers, lambda account_id: execute(buy(account_id, 10, "100.00", validity="TTL", validity_minutes=1)))
    in_each(watchers, lambda _: run("UPDATE trading_order SET expires_at = now() - interval '1 s'"))
    with buckets.at(2):
        assert expiry.run_once(10).expired == 1
    assert statuses(watchers) == [["OPEN"], ["OPEN"], ["EXPIRED"], ["OPEN"]]
    assert verify() == []


def test_a_cancellation_and_a_sale_stay_in_their_bucket(accounts):
    in_each(accounts, lambda account_id: execute(buy(account_id, 10, "100.00")))
    in_each(accounts, lambda account_id: execute(sell(account_id, 5, "101.00")))
    in_each(accounts, lambda account_id: cancel(sell(account_id, 5, "102.00")))
    assert statuses(accounts) == [["EXECUTED", "EXECUTED", "CANCELLED"]] * SHARDS
    assert verify() == []


def test_the_proof_of_the_books_reads_every_bucket(accounts):
    with buckets.of(accounts[3]), session():
        run("SET LOCAL session_replication_role = replica; UPDATE account SET balance = balance + 1")
    assert {violation.account_id for violation in verify()} == {accounts[3]}
    assert check_and_note(accounts=1) == len(verify())
    assert one("SELECT count(*) FROM ledger_check") == 1


def test_old_keys_and_events_are_deleted_in_every_bucket(accounts, without_triggers):
    for shard in buckets.each():
        run(
            "INSERT INTO idempotency_key (account_id, scope, key, fingerprint, answer, created_at)"
            " VALUES (%s, 'POST', 'k', decode(repeat('00', 32), 'hex'), '{}', now() - interval '2 days')",
            accounts[shard],
        )
        without_triggers(f"UPDATE bucket_{shard}.event SET at = now() - interval '8 days' WHERE id = 1")
    deleted = retention.delete_what_is_old()
    assert (deleted.keys, deleted.events) == (SHARDS, SHARDS)


def test_each_bucket_is_split_by_month_and_all_lose_a_month_together(accounts):
    in_each(accounts, lambda account_id: execute(buy(account_id, 10, "100.00")))
    partitions.split()
    with buckets.of(accounts[1]):
        live = buy(accounts[1], 1, "90.00")
    clock = one("SELECT pg_get_functiondef('market_now'::regproc)")
    run(clock.replace("RETURN clock_timestamp()", "RETURN clock_timestamp() + interval '90 days'"))
    with pytest.raises(CannotDetach, match="1 of its orders"):
        detach_oldest()
    assert in_each(accounts, lambda _: one("SELECT count(*) FROM trading_order")) == [1, 2, 1, 1]
    with buckets.of(accounts[1]):
        cancel(live)
    detach_oldest()
    assert in_each(accounts, lambda _: one("SELECT count(*) FROM trading_order")) == [0] * SHARDS
    assert verify() == []
    run(clock)


def test_without_redis_each_bucket_gets_its_turn_and_the_sweeps_wait_for_one_alone(four, monkeypatch):
    now, turns = [0.0], []

    def work(shard):
        turns.append(shard)
        now[0] += ticker.maintenance.DRAIN_S

    actor = ticker.maintenance.do_daily_work
    monkeypatch.setattr(ticker, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setitem(ticker.WITHOUT_REDIS, actor.actor_name, work)
    for done in range(1, SHARDS + 1):
        ticker._work_without_redis(actor)
        assert len(turns) == done
    assert sorted(turns) == list(range(SHARDS))


def test_the_tick_sends_a_message_for_each_bucket(four):
    assert ticker._arguments_of(ticker.maintenance.sweep_orders) == [(shard,) for shard in range(SHARDS)]
    assert ticker._arguments_of(ticker.maintenance.check_ledger) == [()]
    assert read_backlog_counts() == (0, 0)


def read_backlog_counts():
    found = backlog.read_backlog()
    return found.pending, found.resting["for_price"]


def test_an_order_is_modified_in_its_bucket(accounts):
    def change(account_id):
        order = modify(buy(account_id, 10, "100.00"), 4, "99.00")
        assert execute(order).executed == 1
        return order["quantity"], order["modifications"]

    assert in_each(accounts, change) == [(4, 1)] * SHARDS
    assert verify() == []


def test_positions_are_converted_closed_and_written_off_in_their_bucket(accounts):
    feed.set_quotes([("NSE", "RELIANCE", Decimal("100.00"))])

    def trade(account_id):
        position = hold(account_id, "BUY", 10, "100.00")
        conversion.convert_position(account_id, position["id"], 4, calendar=None)
        closed = execute(close(account_id, position["id"])).executed
        return closed, reset.reset_account(account_id, Decimal("500000.00"))["balance"]

    assert in_each(accounts, trade) == [(1, Decimal("500000.00"))] * SHARDS
    assert verify() == []
