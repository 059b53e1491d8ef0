"""Orders and ledger entries by month: the product trades on them, and its books stay right when a month is detached."""

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest

from embedded.postgres import create_database
from models import database, identifiers, migrate, partitions
from models.partitions import Month, NotSplit
from runtime import market_clock
from tests.support.market_clock import set_to
from tests.support.servers import administer, point_models_at
from tests.support.trading import buy, cancel, execute, hold, money, one, rows, run, sell
from tests.trading.execution import market
from trading.accounts import administration
from trading.market.equity import Range, equity_curve
from trading.matching import feed
from trading.orders import order_statements
from trading.orders.preview import preview_order
from trading.rules.decision import OrderRequest
from trading.rules.errors import DuplicateClientOrderId
from trading.upkeep import verify
from trading.upkeep.detaching import detach_oldest
from trading.upkeep.gathering import CannotDetach, attached_ends, gather, gather_ended

INDIA = ZoneInfo("Asia/Kolkata")
PARTITIONS = "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1"


def id_of(moment):
    """Return a new id of a moment."""
    return identifiers.version_7(int(moment.timestamp() * 1000), int.from_bytes(os.urandom(10), "big"))


@contextlib.contextmanager
def running_clock():
    """Yield a function that sets the clock of the database, and of the ids that this process draws."""
    moments = []

    def move(moment):
        moments.append(datetime.fromisoformat(moment).replace(tzinfo=INDIA))
        set_to(moment)

    with identifiers.drawn_from(lambda: id_of(moments[-1])), market_clock.set_to(lambda: moments[-1]):
        yield move


@pytest.fixture(scope="module")
def traded(servers, migrated, database_url):
    """Return the name of a database of an account that traded in May, and in June, July and August by month."""
    name = f"{urlsplit(database_url).path.strip('/')}_by_month"
    create_database(servers.database_url, name)
    database.initialise(urlsplit(database_url)._replace(path=f"/{name}").geturl(), pool_size=4)
    migrate.upgrade()
    with running_clock() as at:
        at("2026-05-20 11:00")
        trade(at)
    point_models_at(database_url)
    yield name
    administer(servers.database_url, f'DROP DATABASE "{name}"')


def trade(at):
    account_id = administration.create_account("Asha", Decimal("1000000.00"))["id"]
    feed.set_quotes([("NSE", "RELIANCE", Decimal("100.00")), ("NSE", "TCS", Decimal("50.00"))])
    hold(account_id, "BUY", 10, "100.00", client_order_id="first")
    cancel(buy(account_id, 1, "90.00"))
    assert partitions.split(Month(2026, 6)) == [Month(2026, 6)]
    at("2026-06-30 23:59:59")
    assert partitions.split() == [Month(2026, 7)]
    hold(account_id, "SELL", 4, "120.00")
    late = buy(account_id, 3, "100.00")
    at("2026-07-01 00:00:10")
    assert execute(late).executed == 1
    assert partitions.add_months() == [Month(2026, 8)]
    assert partitions.add_months() == []
    at("2026-07-15 12:00")
    hold(account_id, "SELL", 2, "90.00")
    hold(account_id, "BUY", 5, "50.00", product="DELIVERY", symbol="TCS", client_order_id="july")
    at("2026-08-03 12:00")
    assert partitions.add_months() == [Month(2026, 9)]
    hold(account_id, "SELL", 7, "130.00")
    assert verify.verify() == []


@pytest.fixture
def at(other_database, traded):
    """Return a function that sets the clock of this test's copy of that database."""
    other_database(f'TEMPLATE "{traded}"')
    with running_clock() as move:
        yield move


@pytest.fixture
def trader(at):
    """Return the id of that account."""
    return one("SELECT id FROM account")


def violations():
    """Return the violations of all accounts, which must be the same in slices."""
    accounts = [row["id"] for row in rows("SELECT id FROM account")]
    found = verify.verify()
    assert sorted(verify.verify_accounts(accounts)) == sorted(found)
    return found


def test_orders_and_entries_lie_in_the_month_of_their_time(at, trader):
    for table, times in (("trading_order", "placed_at"), ("fund_transaction", "created_at")):
        for row in rows(f"SELECT tableoid::regclass::text AS place, {times} AS at FROM {table}"):
            moment = row["at"].astimezone(INDIA)
            assert row["place"] == f"{table}_{'before' if moment.month == 5 else f'2026_{moment.month:02}'}"
    assert one("SELECT count(DISTINCT tableoid) FROM trading_order") == 4


def test_the_books_are_right_after_each_month_that_is_detached(at, trader):
    balance = one("SELECT balance FROM account")
    at("2026-09-20 12:00")
    detached = [detach_oldest() for _ in range(3)]

    assert [done.month for done in detached] == [None, Month(2026, 6), Month(2026, 7)]
    assert all(done.bytes > 0 for done in detached)
    assert violations() == []
    # The first order of July was placed in June, with margin and charges of June.
    assert one("SELECT min(created_at) FROM fund_transaction") >= datetime(2026, 8, 1, tzinfo=INDIA)
    assert one("SELECT count(*) FROM trading_order") == 1
    assert one("SELECT count(*) FROM trading_order_2026_06") == 2
    hold(trader, "BUY", 3, "100.00")
    cancel(sell(trader, 5, "50.00", product="DELIVERY", symbol="TCS"))
    administration.move_funds(trader, "DEPOSIT", money(balance))
    assert violations() == []


@pytest.mark.parametrize(
    ("statement", "rules"),
    [
        (
            "UPDATE ledger_opening SET balance = balance + 1",
            {"running sums of the ledger", "balance and blocked margin are the ledger's"},
        ),
        ("UPDATE ledger_opening SET last_id = last_id - 1", {"ledger entries are numbered without a gap"}),
        ("UPDATE position_opening SET quantity = quantity + 1", {"a position is the sum of its fills"}),
        ("UPDATE position_opening SET realized_pnl = 1", {"realized profit is the ledger's"}),
        ("DELETE FROM fund_transaction WHERE created_at > '2026-08-01'", None),
        ("DELETE FROM trading_order WHERE placed_at > '2026-08-01'", None),
    ],
)
def test_the_check_still_finds_a_wrong_sum(at, trader, statement, rules):
    at("2026-09-20 12:00")
    for _ in range(3):
        detach_oldest()
    run(f"SET session_replication_role = replica; {statement}; SET session_replication_role = DEFAULT")
    found = {violation.rule for violation in violations()}
    assert found == rules if rules else "an order's ledger entries match its status" in found


def test_the_sums_of_all_months_that_have_ended_are_gathered_before_one_is_detached(at, trader):
    at("2026-09-20 12:00")
    gather_ended()
    assert one("SELECT count(*) FROM gathered_month") == 3
    assert violations() == []
    run("UPDATE gathered_position SET account_id = gen_random_uuid()")
    gathered = rows("SELECT * FROM gathered_position")
    gather_ended()
    assert rows("SELECT * FROM gathered_position") == gathered  # those that are there are left
    run("UPDATE gathered_position SET account_id = %s", trader)
    for left in (2, 1, 0):
        detach_oldest()
        assert one("SELECT count(*) FROM gathered_month") == left
        assert violations() == []
    assert rows("SELECT * FROM gathered_position") == []


def test_a_month_is_detached_with_the_sums_that_were_gathered(at, trader):
    at("2026-09-20 12:00")
    gather_ended()
    first = one("SELECT min(ended_at) FROM gathered_month")
    run("UPDATE gathered_position SET quantity = quantity + 1 WHERE ended_at = %s", first)
    detach_oldest()
    assert {violation.rule for violation in violations()} == {"a position is the sum of its fills"}


def test_sums_are_gathered_anew_if_a_slow_clock_has_added_to_the_month(at, trader):
    at("2026-09-20 12:00")
    quiet = administration.create_account("Ravi", money("100000.00"))["id"]
    run("UPDATE account SET created_at = '2026-05-01' WHERE id = %s", quiet)
    run("ALTER TABLE fund_transaction DISABLE TRIGGER USER")
    run("UPDATE fund_transaction SET created_at = '2026-05-01' WHERE account_id = %s", quiet)
    run("ALTER TABLE fund_transaction ENABLE TRIGGER USER")
    gather_ended()
    at("2026-05-25 12:00")
    hold(quiet, "BUY", 10, "100.00")
    hold(quiet, "SELL", 10, "110.00")
    at("2026-09-20 12:00")
    detach_oldest()
    assert violations() == []
    assert one("SELECT count(*) FROM trading_order WHERE account_id = %s", quiet) == 0


def test_sums_are_gathered_anew_if_an_order_with_an_old_id_has_come(at, trader):
    at("2026-09-20 12:00")
    gather_ended()
    may = datetime(2026, 5, 25, tzinfo=INDIA)
    with identifiers.drawn_from(lambda: id_of(may)):  # a process's clock is slow, that of the database is right
        hold(trader, "BUY", 3, "100.00", client_order_id="slow")
    detach_oldest()
    assert violations() == []
    assert rows("SELECT FROM trading_order WHERE client_order_id = 'slow'") == []
    with pytest.raises(DuplicateClientOrderId):
        buy(trader, 1, "100.00", client_order_id="slow")


def test_a_month_that_another_process_has_detached_meanwhile_is_not_gathered(at, trader):
    at("2026-09-20 12:00")
    with database.session():
        first = attached_ends()[0]
    detach_oldest()
    with pytest.raises(CannotDetach, match="just detached"), database.session_with_deadline():
        gather(first)
    assert one("SELECT count(*) FROM gathered_month") == 0


def test_months_wait_for_a_migration(at, trader):
    at("2026-09-20 12:00")
    with database.session(), database.db.atomic():
        partitions.alone()
        with ThreadPoolExecutor(1) as other:
            other.submit(gather_ended).result()
            refused = other.submit(detach_oldest).exception()
    assert isinstance(refused, CannotDetach)
    assert "a migration, or other work on months, is running" in str(refused)
    assert one("SELECT count(*) FROM gathered_month") == 0


def test_a_month_with_a_live_order_is_gathered_when_the_order_has_ended(at, trader):
    at("2026-08-04 12:00")
    left = buy(trader, 1, "80.00")
    at("2026-10-20 12:00")
    gather_ended()
    assert one("SELECT count(*) FROM gathered_month") == 3
    cancel(left)
    gather_ended()
    assert one("SELECT count(*) FROM gathered_month") == 4


def test_a_client_order_id_of_a_gathered_month_is_found_once(at, trader):
    taken = one("SELECT id FROM trading_order WHERE client_order_id = 'july'")
    at("2026-09-20 12:00")
    gather_ended()
    assert one("SELECT order_id FROM taken_client_order_id WHERE client_order_id = 'july'") == taken
    terms = OrderRequest("NSE", "TCS", "BUY", 1, "LIMIT", money("50.00"), product="DELIVERY", client_order_id="july")
    refusal = preview_order(trader, terms, calendar=None).refusal
    assert isinstance(refusal, DuplicateClientOrderId)
    assert refusal.details["order_id"] == taken
    with pytest.raises(DuplicateClientOrderId):
        buy(trader, 1, "50.00", client_order_id="july")


def test_a_client_order_id_stays_taken(at, trader):
    taken = one("SELECT id FROM trading_order WHERE client_order_id = 'first'")
    at("2026-09-20 12:00")
    detach_oldest()
    with database.session():
        assert order_statements.find_order(trader, taken) is None
    with pytest.raises(DuplicateClientOrderId) as refused:
        buy(trader, 1, "100.00", client_order_id="first")
    assert refused.value.details["order_id"] == taken
    with pytest.raises(DuplicateClientOrderId):  # in another partition than the first one's
        buy(trader, 1, "100.00", client_order_id="july")
    buy(trader, 1, "100.00", client_order_id="second")


def test_a_month_with_a_live_order_stays(at, trader):
    at("2026-08-04 12:00")
    left = buy(trader, 1, "80.00")
    at("2026-10-20 12:00")
    for _ in range(3):
        detach_oldest()
    with pytest.raises(CannotDetach, match="1 of its orders are PENDING or OPEN"):
        detach_oldest()
    cancel(left)
    assert detach_oldest().month == Month(2026, 8)
    assert violations() == []


def test_a_month_that_ended_lately_stays(at, trader):
    at("2026-07-31 23:00")
    assert detach_oldest().month is None
    with pytest.raises(CannotDetach, match="2026-06, ended less than 31 days ago"):
        detach_oldest()


def test_entries_that_a_slow_clock_has_put_into_an_earlier_month_are_not_torn_apart(at, trader):
    at("2026-07-31 12:00")
    administration.move_funds(trader, "DEPOSIT", money("1.00"))
    at("2026-06-30 12:00")
    administration.move_funds(trader, "DEPOSIT", money("2.00"))
    at("2026-09-20 12:00")
    detach_oldest()
    with pytest.raises(CannotDetach, match="1 accounts have entries"):
        detach_oldest()
    assert one("SELECT count(*) FROM detached_month") == 1
    assert violations() == []


def test_a_curve_begins_after_the_detached_months(at, trader):
    at("2026-09-20 12:00")
    run("UPDATE account SET created_at = '2026-05-01'")
    day = Range(timedelta(days=1), timedelta(days=100))
    *whole, _ = equity_curve(trader, day)
    detach_oldest()
    detach_oldest()
    *kept, now = equity_curve(trader, day)
    assert kept == whole[-len(kept) :]
    assert kept[0].at.astimezone(INDIA).date().isoformat() == "2026-07-01"
    assert now.balance == one("SELECT balance FROM account")


def test_a_split_keeps_guards_indexes_and_options(at, trader):
    for name, table in ((row["name"], row["name"].split("_20")[0]) for row in rows(PARTITIONS, "trading_order")):
        assert one("SELECT count(*) FROM pg_index WHERE indrelid = %s::regclass", name) == one(
            "SELECT count(*) FROM pg_index WHERE indrelid = 'trading_order_before'::regclass"
        )
        assert one("SELECT reloptions FROM pg_class WHERE oid = %s::regclass", name) == one(
            "SELECT reloptions FROM pg_class WHERE oid = 'trading_order_before'::regclass"
        ), table
        triggers = "SELECT count(*) FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal"
        assert one(triggers, name) == one(triggers, "trading_order_before")


def test_the_first_month_must_begin_after_all_that_is_there(other_database):
    other_database("TEMPLATE template0")
    migrate.upgrade()
    hold(administration.create_account("Asha", Decimal("1000000.00"))["id"], "BUY", 1, "100.00")
    with pytest.raises(NotSplit, match="before a row of another"):
        partitions.split(Month(2026, 1))
    with database.session():
        assert not partitions.is_split()


def test_tables_are_split_once(at, trader):
    with pytest.raises(NotSplit):
        partitions.split(Month(2026, 1))


def test_a_month_that_another_worker_has_made_meanwhile_is_left(at, trader, monkeypatch):
    monkeypatch.setattr(partitions, "_first_missing", lambda: Month(2026, 9))
    at("2026-09-01 12:00")
    assert partitions.add_months() == [Month(2026, 9), Month(2026, 10)]
    assert len(rows(PARTITIONS, "trading_order")) == 7


def test_a_row_of_a_month_without_a_partition_is_kept_too(at, trader):
    at("2027-03-01 12:00")
    hold(trader, "SELL", 1, "100.00", product="DELIVERY", symbol="TCS")
    assert one("SELECT count(*) FROM trading_order_rest") == 1
    assert violations() == []
    assert market.now().astimezone(INDIA).year == 2027
