"""Each rule of the ledger check for resting orders finds its own violation, and only that."""

import json
from uuid import uuid4

import pytest

from tests.support.trading import row_of, rows
from trading.upkeep import verify
from trading.upkeep.resting_rules import RESTING_RULES

CROSSED = "no resting order is crossed by its stock's present quote"
OUTLIVED = "no open order outlives its end"
EVIDENCE = "a fill has evidence that allows its price"
ENDS = "an order ends once, and nothing comes after its end"
HOUR = "market_now() + interval '1 hour'"


@pytest.fixture
def insert(trader, quote, cleaner):
    """Return a function that inserts an order of the trader, without the triggers: insert(status="OPEN", …)."""
    quote("RELIANCE", "100.00")

    def make(**columns):
        [stock] = rows("SELECT id FROM stock")
        order = {
            "id": str(uuid4()), "account_id": str(trader), "stock_id": str(stock["id"]), "exchange": "NSE",
            "symbol": "RELIANCE", "side": "BUY", "product": "INTRADAY", "order_type": "LIMIT", "quantity": 1,
            "price": "100.00", "closing_quantity": 0, "blocked_margin": 0, "charges": 0, "charge_items": "{}",
            "fill_model": "QUOTES", "status": "OPEN", "due_at": None,
        } | columns  # fmt: skip
        names = ", ".join(order)
        with cleaner.cursor() as cursor:
            marks = ", ".join(["%s"] * len(order))
            cursor.execute(f"INSERT INTO trading_order ({names}) VALUES ({marks})", list(order.values()))
        return order["id"]

    return make


@pytest.fixture
def present(cleaner):
    """Return a function that stores a usable quote: present(bid, ask, last)."""

    def store(bid, ask, last, **columns):
        values = {
            "bid_price": bid,
            "ask_price": ask,
            "last_price": last,
            "is_usable": True,
            "quote_number": 5,
        } | columns
        changes = ", ".join(f"{name} = %({name})s" for name in values)
        with cleaner.cursor() as cursor:
            cursor.execute(f"UPDATE stock SET {changes}, quoted_at = market_now()", values)

    return store


def broken():
    """Return the violated rules of resting orders, and check that the slices find the same ones."""
    found = [violation for violation in verify.verify() if violation.rule in RESTING_RULES]
    accounts = [row["id"] for row in rows("SELECT id FROM account")]
    in_slices = [each for each in verify.verify_accounts(accounts) if each.rule in RESTING_RULES]
    assert sorted(in_slices) == sorted(found)
    return [violation.rule for violation in found]


BUY = {"watch_price": "100.00"}
SELL = {"side": "SELL", "watch_price": "100.00"}
BUY_STOP = {"order_type": "STOP_MARKET", "price": None, "trigger_price": "100.00", "watch_trigger": "100.00"}
SELL_STOP = BUY_STOP | {"side": "SELL"}
MARKET = {"order_type": "MARKET", "price": None, "watch_price": "10000000.00"}


@pytest.mark.parametrize(
    ("order", "crossing", "passing"),
    [
        (BUY, ("99.90", "100.00", "99.95"), ("99.90", "100.05", "99.95")),
        (BUY, (None, None, "100.00"), (None, None, "100.05")),
        (BUY, (None, "99.00", "99.00"), ("99.00", None, "99.00")),
        (SELL, ("100.00", "100.10", "100.05"), ("99.95", "100.10", "100.05")),
        (SELL, (None, None, "100.00"), (None, "99.00", "100.00")),
        (BUY | {"limit_fills": "through"}, ("99.90", "99.95", "99.95"), ("99.90", "100.00", "99.95")),
        (BUY_STOP, ("90.00", "91.00", "100.00"), ("100.00", "101.00", "99.95")),
        (SELL_STOP, ("110.00", "111.00", "100.00"), ("99.00", "99.95", "100.05")),
        (MARKET, (None, "500.00", "400.00"), ("500.00", None, "400.00")),
    ],
)
def test_a_resting_order_that_the_present_quote_crosses_is_found(insert, present, order, crossing, passing):
    insert(**order)
    present(*passing)
    assert broken() == []
    present(*crossing)
    assert broken() == [CROSSED]


@pytest.mark.parametrize(
    "columns",
    [
        {"is_usable": False},
        {"is_halted": True},
        {"quote_number": 4},
        {"lower_circuit": "101.00", "circuit_day": "2026-11-27"},
    ],
)
def test_a_quote_that_does_not_match_leaves_orders_resting(insert, present, cleaner, columns):
    insert(**BUY, opened_number=4)
    present("99.90", "99.95", "99.95")
    assert broken() == [CROSSED]
    present("99.90", "99.95", "99.95", **columns)
    if "circuit_day" in columns:
        with cleaner.cursor() as cursor:
            cursor.execute("UPDATE stock SET circuit_day = (quoted_at AT TIME ZONE 'Asia/Kolkata')::date")
    assert broken() == []


def test_an_order_without_a_watch_or_with_a_match_is_not_crossed(insert, present):
    insert()
    insert(
        **BUY, matched_at="2026-11-27", match_sequence=1, match_class=1, match_price="100.00", fill=json.dumps({})
    )  # fmt: skip
    present("99.90", "99.95", "99.95")
    assert broken() == []


def test_an_order_that_outlives_its_end_is_found(insert, cleaner):
    order_id = insert(watch_price="1.00")
    for minutes, rules in ((-1, []), (0.5, []), (2, [OUTLIVED])):
        with cleaner.cursor() as cursor:
            cursor.execute(
                "UPDATE trading_order SET expires_at = market_now() - %s * interval '1 minute' WHERE id = %s",
                (minutes, order_id),
            )
        assert broken() == rules


def filled(insert, cleaner, order, price, evidence):
    """Insert an executed order with its evidence (rule, bid, ask, last)."""
    rule, bid, ask, last = evidence
    fill = {"quoteNumber": 5, "bid": bid, "ask": ask, "last": last, "quotedAt": "2026-11-27T05:00:00Z", "rule": rule}
    order_id = insert(
        **{"status": "EXECUTED", "filled_quantity": 1, "average_price": price, "position_id": str(uuid4()),
           "executed_at": "2026-11-27", "fill": json.dumps(fill)} | order
    )  # fmt: skip
    rules = broken()
    with cleaner.cursor() as cursor:
        cursor.execute("DELETE FROM trading_order WHERE id = %s", (order_id,))
    return rules


STOP_MARKET = {"order_type": "STOP_MARKET", "price": None, "trigger_price": "99.00"}
CAPPED = {"order_type": "MARKET", "price": None, "market_protection": "1.00", "protection_price": "100.00"}


@pytest.mark.parametrize(
    ("order", "evidence", "allowed", "refused"),
    [
        ({}, ("first_look", "99.00", "99.50", "99.20"), "99.50", "100.00"),
        ({}, ("first_look", "99.00", "100.50", "99.20"), None, "100.50"),
        ({}, ("book", "99.00", "99.50", "101.00"), "100.00", "99.50"),
        ({}, ("book", "99.00", "100.50", "99.00"), None, "100.00"),
        ({}, ("trade_through", "100.00", "100.50", "99.95"), "100.00", "99.95"),
        ({}, ("trade_through", "100.00", "100.50", "100.00"), None, "100.00"),
        ({"limit_fills": "touch"}, ("touch", "100.00", "100.50", "100.00"), "100.00", "100.50"),
        ({"side": "SELL"}, ("book", "100.00", "100.50", "99.00"), "100.00", "100.50"),
        ({"side": "SELL"}, ("first_look", None, None, "101.00"), "101.00", "100.00"),
        ({"side": "SELL"}, ("market", "101.00", "102.00", "101.00"), None, "101.00"),
        (STOP_MARKET, ("stop", "99.00", "99.50", "99.20"), "99.50", "99.00"),
        (STOP_MARKET, ("market", "99.00", "99.50", "99.20"), "99.50", "99.20"),
        (CAPPED, ("market", "99.00", "99.50", "99.20"), "99.50", "100.00"),
        (CAPPED, ("market", "99.00", "100.50", "99.20"), None, "100.50"),
        (CAPPED, ("book", "99.00", "99.50", "99.20"), "100.00", "99.50"),
        ({}, ("gift", "99.00", "99.50", "99.20"), None, "99.50"),
    ],
)
def test_a_fill_that_its_evidence_does_not_allow_is_found(insert, cleaner, order, evidence, allowed, refused):
    if allowed is not None:
        assert filled(insert, cleaner, order, allowed, evidence) == []
    assert filled(insert, cleaner, order, refused, evidence) == [EVIDENCE]


def test_a_fill_without_evidence_or_beside_its_match_is_found(insert, trader, cleaner):
    done = {"status": "EXECUTED", "filled_quantity": 1, "average_price": "100.00", "position_id": str(uuid4())}
    done["executed_at"] = "2026-11-27"
    insert(**done, fill_model="IMMEDIATE")
    assert broken() == []
    insert(**done)
    assert broken() == [EVIDENCE]


def test_two_ends_of_an_order_or_an_event_after_its_end_are_found(insert, trader, cleaner):
    order_id = insert(status="EXPIRED")
    tell = "INSERT INTO event (account_id, id, type, at, data) VALUES (%s, %s, %s, now(), %s)"
    first = row_of("account", trader)["last_event_id"] + 1
    data = json.dumps({"id": order_id})
    kinds = ("order.pending", "order.open", "order.modified", "order.triggered", "order.modified", "order.expired")
    with cleaner.cursor() as cursor:
        for number, kind in enumerate(kinds, start=first):
            cursor.execute(tell, (str(trader), number, kind, data))
        assert broken() == []
        cursor.execute(tell, (str(trader), first + len(kinds), "order.cancelled", data))
        assert broken() == [ENDS]
        cursor.execute("UPDATE event SET type = 'order.open' WHERE id = %s", (first + len(kinds),))
        assert broken() == [ENDS]
