"""The transactions lock in one order, and what they wait for while they hold locks makes no cycle."""

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from models.database import execute
from tests.matching_stress.locks import Transaction, recorded
from tests.support.deactivation import deactivate_stocks
from tests.support.trading import rows
from trading.accounts import administration
from trading.day import release, square_off_rows
from trading.day.close_prices import match_at_close
from trading.day.closing_orders import place_closing_orders
from trading.day.conversion import convert_position
from trading.day.ending import end_orders_for
from trading.day.reset import reset_account
from trading.day.settling import Settlement, settle
from trading.execution import expiry
from trading.execution.awaiting import Await
from trading.execution.executing import execute_orders
from trading.execution.second_look import OrderAndStock
from trading.execution.sweeping import sweep_once
from trading.market.clock import market_time
from trading.market.quotes import GivenQuote
from trading.matching import level_sweep
from trading.matching.feed import MarketRules, receive_quotes
from trading.matching.stock_changes import ImportedFacts, set_facts
from trading.orders import cancellation, closing, modification, placement
from trading.orders.mass_cancellation import cancel_orders
from trading.orders.modification import OrderChange
from trading.orders.selection import OrderFilter
from trading.rules.decision import OrderRequest
from trading.rules.sessions import INDIAN_TIME
from trading.rules.square_off import last_square_off_without_calendar

RULES = MarketRules(max_age_s=60)
Kinds = dict[str, list[Transaction]]


def quote(bid: str, ask: str, last: str, *, symbol: str = "RELIANCE") -> None:
    receive_quotes([GivenQuote("NSE", symbol, Decimal(last), bid_price=Decimal(bid), ask_price=Decimal(ask))], RULES)


def order(account_id: UUID, side: str, price: str | None, **terms: Any) -> UUID:
    """Place an order and return its id."""
    kind = {"order_type": "MARKET" if price is None else "LIMIT", "price": None if price is None else Decimal(price)}
    request = OrderRequest(exchange="NSE", symbol="RELIANCE", side=side, quantity=10, **(kind | terms))
    return placement.place_order(account_id, request, calendar=None).order["id"]


@pytest.fixture
def trader(database: Any, configured: None) -> UUID:
    """Return a QUOTES account, at a quote of 99.95/100.00."""
    account_id = administration.create_account("Trader", Decimal("1000000.00"), fill_model="QUOTES")["id"]
    quote("99.95", "100.00", "100.00")
    return account_id


@pytest.fixture
def kinds(trader: UUID, database_url: str) -> Kinds:
    """Return the recorded transactions of each kind, each brought about once."""
    found: Kinds = {}

    def record(kind: str, action: Callable[[], Any]) -> Any:
        with recorded(database_url) as transactions:
            result = action()
        found[kind] = [transaction for transaction in transactions if transaction.steps]
        return result

    held = record("placement", lambda: order(trader, "BUY", None))
    record("first look", lambda: execute_orders([held]))
    resting = order(trader, "BUY", "99.00")
    record("second look", lambda: execute_orders([resting]))
    record("modify", lambda: modification.modify_order(trader, resting, OrderChange(price=Decimal(98)), calendar=None))
    record("second look of a modified order", lambda: execute_orders([resting]))
    record("cancel", lambda: cancellation.cancel_order(trader, resting))
    stop = order(trader, "BUY", "103.00", order_type="STOP_LIMIT", trigger_price=Decimal("102.00"))
    matched, late = order(trader, "SELL", "101.00"), order(trader, "BUY", "99.00", validity="GTC")
    execute_orders([stop, matched, late])
    record("quotes", lambda: quote("101.50", "104.00", "102.00"))
    record("matched fill", lambda: execute_orders([matched]))
    record("telling a trigger", lambda: execute_orders([stop]))
    waited_for = order(trader, "BUY", "99.00")
    record("awaited account", lambda: execute_orders([waited_for], wait=Await(trader, 100)))
    execute("UPDATE trading_order SET expires_at = market_now() WHERE id = %s", (waited_for,))
    record("expiry", lambda: expiry.run_once(limit=10))
    execute("UPDATE stock SET last_price = 99, bid_price = 98, ask_price = 99, quoted_at = market_now()")
    assert len(record("level sweep", lambda: level_sweep.run_once(RULES))) == 2
    record("sweep", lambda: sweep_once(limit=10))
    [position] = [row["position_id"] for row in rows_of(trader) if row["id"] == held]
    order(trader, "BUY", None)
    sweep_once(limit=10)
    record("close", lambda: closing.close_position(trader, position, calendar=None))
    order(trader, "BUY", "90.00")
    assert record("cancel all", lambda: cancel_orders(trader, OrderFilter(side="BUY"))).cancelled
    record("new stock", lambda: quote("1.00", "1.05", "1.00", symbol="NEW"))
    given_up = order(trader, "BUY", "90.00")
    record("giving up a poison", lambda: cancellation.reject_order(trader, given_up, "execution_failed"))
    record_changes_of_positions(record)
    record_square_off(record, trader)
    record("import of facts", lambda: set_facts([ImportedFacts("NSE", "RELIANCE", Decimal("0.05"))]))
    held = order(trader, "BUY", "90.00")
    execute("UPDATE trading_order SET due_at = NULL, waiting_for = 'session' WHERE id = %s", (held,))
    assert record("release", lambda: release.run_once(10, calendar=None)) == 1
    record("deactivation", lambda: deactivate_stocks([row["stock_id"] for row in rows_of(trader)][:1]))
    return found


def record_square_off(record: Callable[[str, Callable[[], Any]], Any], trader: UUID) -> None:
    """Record the transactions of a square-off that is due now."""
    order(trader, "BUY", None)
    order(trader, "BUY", "80.00")
    now = market_time()
    of = last_square_off_without_calendar(now, "NORMAL", now.astimezone(INDIAN_TIME).time())
    sweep_once(limit=50)
    square_off_rows.find(of)
    pairs = square_off_rows.unfinished(of, 10)
    live = [OrderAndStock(order["id"], order["stock_id"]) for order in square_off_rows.live_orders(of, pairs)]
    assert record("orders that a square-off ends", lambda: end_orders_for("square_off", live)) == len(live) > 0
    closing_orders = record("closing orders", lambda: place_closing_orders(of, pairs, Decimal(0)))
    assert len(record("match at the close", lambda: match_at_close(of, closing_orders))) == 1
    execute_orders([order.order_id for order in closing_orders])
    assert record("end of a square-off", lambda: square_off_rows.finish(of, pairs)) == 1


def record_changes_of_positions(record: Callable[[str, Callable[[], Any]], Any]) -> None:
    """Record the transactions of a conversion, of a settlement and of a reset of another account."""
    holder = administration.create_account("Holder", Decimal("1000000.00"))["id"]
    execute_orders([order(holder, "BUY", "100.00")])
    (position,) = rows("SELECT id FROM position WHERE account_id = %s", holder)
    record("conversion", lambda: convert_position(holder, position["id"], None, calendar=None))
    execute("UPDATE position SET bucket_day = bucket_day - 1")
    assert record("settlement", lambda: settle(None, limit_s=5)) == Settlement(1, 0)
    order(holder, "BUY", "90.00")
    record("reset", lambda: reset_account(holder, Decimal("1.00")))


def rows_of(account_id: UUID) -> list[Any]:
    """Return an account's orders."""
    return [row for row in rows("SELECT * FROM trading_order") if row["account_id"] == account_id]


# The table of docs/decisions/matching.md: the kinds in the order in which they are locked, "skip" where a busy row is
# left. A kind that is locked again is not repeated.
LOOK = "account skip, order skip, position skip"
UNDER_BUCKETS = f"bucket, {LOOK}"
MATCHING = "bucket, stock, order, sequence"
TABLE = {
    "placement": ["account"],
    "close": ["account"],
    "first look": ["account skip, order skip"],
    "second look": [LOOK, UNDER_BUCKETS],
    "second look of a modified order": [UNDER_BUCKETS],
    "awaited account": ["account, order skip, position skip", "account, bucket, order skip, position skip"],
    "matched fill": [LOOK],
    "telling a trigger": [LOOK],
    "sweep": ["order skip", LOOK],
    "modify": ["order, account skip"],
    "cancel": ["order, account skip"],
    "cancel all": ["account, order skip"],
    "expiry": ["bucket, order skip, account skip"],
    "release": ["order skip"],
    "quotes": [MATCHING],
    "level sweep": [MATCHING],
    "new stock": ["bucket, stock"],
    "import of facts": ["bucket, stock"],
    "deactivation": ["bucket, stock"],
    "conversion": ["account, position"],
    "settlement": ["account skip, position"],
    "reset": ["account, order skip, position"],
    "giving up a poison": ["account skip, order skip"],
    "orders that a square-off ends": ["bucket, order skip, account skip"],
    "closing orders": ["account skip"],
    "match at the close": ["bucket, order skip, account skip, sequence"],
    "end of a square-off": [],
}


def test_each_kind_of_transaction_locks_in_the_order_of_the_table_which_has_no_cycle(kinds: Kinds) -> None:
    assert {kind: [str(transaction) for transaction in found] for kind, found in kinds.items()} == TABLE
    transactions = [transaction for found in kinds.values() for transaction in found]
    waits = {wait for transaction in transactions for wait in transaction.waits}
    assert is_acyclic(waits)
    assert ("account", "order") not in waits
    assert {held for held, wanted in waits if wanted == "account"} == set()
    assert ("bucket", "order") in waits  # else nothing was recorded


def test_a_cycle_is_seen() -> None:
    assert is_acyclic({("bucket", "order"), ("account", "bucket")})
    assert not is_acyclic({("bucket", "order"), ("order", "account"), ("account", "bucket")})


def is_acyclic(waits: set[tuple[str, str]]) -> bool:
    """Return True if the kinds of locks can be put into one order."""
    kinds = {kind for wait in waits for kind in wait}
    return any(
        all(turn.index(held) < turn.index(wanted) for held, wanted in waits) for turn in itertools.permutations(kinds)
    )
