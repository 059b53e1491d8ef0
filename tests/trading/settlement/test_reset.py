"""The reset of an account."""

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from models.database import DatabaseUnavailable
from tests.support.identifiers import NOT_THERE
from tests.support.trading import account_now, buy, execute, hold, money, order_now, row_of, rows, run, sell
from tests.trading.execution.market import quote, rest
from tests.trading.settlement.days import position_of
from trading.day.reset import reset_account
from trading.rules.errors import NotFound
from trading.upkeep.verify import verify

BALANCE = money("500000.00")


def entries_after(account_id: UUID, entry_id: int) -> list[tuple[Any, ...]]:
    """Return an account's ledger entries after one."""
    found = rows(
        "SELECT kind, amount, order_id, position_id FROM fund_transaction WHERE account_id = %s AND id > %s"
        " ORDER BY id",
        account_id,
        entry_id,
    )
    return [tuple(row.values()) for row in found]


def last_entry(account_id: UUID) -> int:
    """Return the number of an account's last ledger entry."""
    (row,) = rows("SELECT max(id) AS id FROM fund_transaction WHERE account_id = %s", account_id)
    number: int = row["id"]
    return number


def test_a_reset_ends_orders_writes_off_positions_and_sets_the_balance(trader: UUID, logged: list[Any]) -> None:
    long = hold(trader, "BUY", 10, "100.00")
    short = hold(trader, "SELL", 5, "200.00", symbol="TCS")
    delivery = hold(trader, "BUY", 3, "300.00", product="DELIVERY")
    order = buy(trader, 1, "50.00")
    balance, last = account_now(trader)["balance"] + order["charges"], last_entry(trader)
    account = reset_account(trader, BALANCE)
    assert (account["balance"], account["blocked_margin"]) == (BALANCE, money(0))
    ended = order_now(order)
    assert (ended["status"], ended["end_reason"]) == ("CANCELLED", "reset")
    lines = [line["reason"] for line in logged if line.get("order_id") == str(order["id"])]
    assert lines == ["reset"]
    for position in (long, short, delivery):
        now = row_of("position", position["id"])
        assert (now["quantity"], now["cost"], now["blocked_margin"]) == (0, money(0), money(0))
    changes = rows(
        "SELECT from_position, to_position, quantity, cost, kind FROM position_change ORDER BY from_position"
    )
    expected = {
        long["id"]: (None, 10, money("1000.00"), "RESET"),
        short["id"]: (None, -5, money("1000.00"), "RESET"),
        delivery["id"]: (None, 3, money("900.00"), "RESET"),
    }
    assert {change["from_position"]: tuple(change.values())[1:] for change in changes} == expected
    made = entries_after(trader, last)
    assert made[:2] == [
        ("MARGIN_RELEASE", money("10.00"), order["id"], None),
        ("CHARGES_REFUND", order["charges"], order["id"], None),
    ]
    released = {(long["id"], money("200.00")), (short["id"], money("200.00")), (delivery["id"], money("900.00"))}
    assert {(entry[3], entry[1]) for entry in made[2:5]} == released
    assert {(entry[0], entry[2]) for entry in made[2:5]} == {("MARGIN_RELEASE", None)}
    assert made[5:] == [("ADJUST_DEBIT", balance - BALANCE, None, None)]
    assert verify() == []


@pytest.mark.parametrize(
    ("balance", "kinds"),
    [("1000000.00", []), ("1000000.01", ["ADJUST_CREDIT"]), ("0.00", ["ADJUST_DEBIT"])],
)
def test_the_balance_is_adjusted_by_one_entry(trader: UUID, balance: str, kinds: list[str]) -> None:
    last = last_entry(trader)
    assert reset_account(trader, money(balance))["balance"] == money(balance)
    assert [entry[0] for entry in entries_after(trader, last)] == kinds
    assert verify() == []


def test_a_reset_account_trades_on(trader: UUID) -> None:
    hold(trader, "BUY", 10, "100.00", product="DELIVERY")
    execute(sell(trader, 4, "110.00", product="DELIVERY"))
    reset_account(trader, BALANCE)
    position = hold(trader, "BUY", 2, "50.00", product="DELIVERY")
    assert (position["quantity"], position["today_quantity"], position["day_buy_quantity"]) == (2, 2, 2)
    assert position["realized_pnl"] == money("40.00")
    assert verify() == []


def test_its_events_tell_each_change(trader: UUID) -> None:
    hold(trader, "BUY", 10, "100.00")
    buy(trader, 1, "50.00")
    (before,) = rows("SELECT last_event_id AS id FROM account")
    reset_account(trader, BALANCE)
    told = rows("SELECT type FROM event WHERE id > %s ORDER BY id", before["id"])
    assert sorted(row["type"] for row in told) == ["account.updated", "order.cancelled", "position.updated"]


def test_an_order_that_the_market_has_traded_fills_first(account: Callable[..., Any], clean: None) -> None:
    trader = account(fill_model="QUOTES").id
    quote("101.00", "102.00", "101.50")
    order = rest(trader, "BUY", 10, price="100.00")
    execute(order)
    quote("99.00", "100.00", "99.50")
    assert order_now(order)["matched_at"] is not None
    reset_account(trader, BALANCE)
    assert order_now(order)["status"] == "EXECUTED"
    assert position_of(trader, "INTRADAY")["quantity"] == 0
    assert verify() == []


# What a careless change of the rows leaves behind, and the rule that tells.
TAMPERED = {
    "DELETE FROM position_change": "a position is the sum of its fills",
    "UPDATE position_change SET quantity = quantity + 1": "a position is the sum of its fills",
    "DELETE FROM fund_transaction WHERE kind = 'ADJUST_DEBIT'": "balance and blocked margin are the ledger's",
    "DELETE FROM fund_transaction WHERE kind = 'MARGIN_RELEASE' AND order_id IS NULL": "running sums of the ledger",
    "UPDATE trading_order SET status = 'PENDING', end_reason = NULL, due_at = now() WHERE end_reason = 'reset'": (
        "an order's ledger entries match its status"
    ),
}


@pytest.mark.parametrize("change", TAMPERED)
def test_the_check_of_the_ledger_sees_half_a_reset(trader: UUID, cleaner: Any, change: str) -> None:
    hold(trader, "BUY", 10, "100.00")
    buy(trader, 1, "50.00")
    reset_account(trader, BALANCE)
    with cleaner.cursor() as cursor:  # without triggers
        cursor.execute(f"SET session_replication_role = replica; {change}")
    assert TAMPERED[change] in {violation.rule for violation in verify()}


def test_a_busy_order_is_waited_for_while_nothing_is_held(
    trader: UUID, connect: Callable[[], Any], account: Callable[..., Any]
) -> None:
    order = buy(trader, 1, "50.00")
    other = connect()
    other.cursor().execute("SELECT 1 FROM trading_order WHERE id = %s FOR UPDATE", (str(order["id"]),))
    reset = threading.Thread(target=reset_account, args=(trader, BALANCE))
    reset.start()
    reset.join(0.2)
    assert reset.is_alive()
    other.cursor().execute("SELECT 1 FROM account WHERE id = %s FOR UPDATE NOWAIT", (str(trader),))
    other.rollback()
    reset.join(5)
    assert (order_now(order)["status"], account_now(trader)["balance"]) == ("CANCELLED", BALANCE)


def test_orders_that_stay_busy_end_the_wait(
    trader: UUID, connect: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trading.day.reset.LOCK_TIMEOUT_MS", 0)
    order = buy(trader, 1, "50.00")
    connect().cursor().execute("SELECT 1 FROM trading_order WHERE id = %s FOR UPDATE", (str(order["id"]),))
    with pytest.raises(DatabaseUnavailable):
        reset_account(trader, BALANCE)
    assert order_now(order)["status"] == "PENDING"


def test_an_unknown_account_is_not_found(clean: None) -> None:
    with pytest.raises(NotFound):
        reset_account(NOT_THERE, BALANCE)


def test_changes_of_positions_are_kept(trader: UUID) -> None:
    hold(trader, "BUY", 10, "100.00")
    reset_account(trader, BALANCE)
    for statement in ("UPDATE position_change SET quantity = 1", "DELETE FROM position_change"):
        with pytest.raises(Exception, match="append-only"):
            run(statement)
