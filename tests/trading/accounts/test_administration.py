"""Accounts and their funds."""

import functools
from decimal import Decimal
from uuid import uuid4

import pytest

from tests.support.identifiers import ids_in_order
from tests.support.trading import account_now, at_once, buy, counts, rows
from trading.accounts import administration
from trading.accounts.reading import list_accounts
from trading.rules.errors import InsufficientMargin, NotFound
from trading.rules.terms import AccountStatus, LedgerKind
from trading.upkeep import verify

D = Decimal


@pytest.fixture(autouse=True)
def books_are_right(clean):
    yield
    assert verify.verify() == []


def test_a_new_account_is_active_and_holds_its_opening_deposit(clean):
    account = administration.create_account("Asha", D("1000.50"))
    assert account == account_now(account["id"])
    assert (account["name"], account["status"]) == ("Asha", "ACTIVE")
    assert (account["balance"], account["blocked_margin"], account["available_margin"]) == (
        D("1000.50"),
        0,
        D("1000.50"),
    )
    (deposit,) = rows("SELECT * FROM fund_transaction")
    assert (deposit["kind"], deposit["amount"], deposit["order_id"]) == ("DEPOSIT", D("1000.50"), None)


def test_an_account_may_open_with_nothing(clean):
    assert administration.create_account("Asha")["balance"] == 0
    assert rows("SELECT 1 FROM fund_transaction") == []


def test_a_deposit_and_a_withdrawal_return_their_ledger_rows(trader):
    deposit, _ = administration.move_funds(trader, LedgerKind.DEPOSIT, D("10.00"))
    withdrawal, _ = administration.move_funds(trader, LedgerKind.WITHDRAWAL, D("4.00"))
    assert (deposit["kind"], deposit["amount"], deposit["balance_after"]) == ("DEPOSIT", 10, D("1000010.00"))
    assert (withdrawal["kind"], withdrawal["amount"], withdrawal["balance_after"]) == ("WITHDRAWAL", 4, D("1000006.00"))
    assert withdrawal["id"] > deposit["id"]


def test_a_withdrawal_may_take_all_that_is_available_and_no_more(trader):
    buy(trader, 10, "100.00")
    available = account_now(trader)["available_margin"]
    before = counts()
    with pytest.raises(InsufficientMargin) as refusal:
        administration.move_funds(trader, LedgerKind.WITHDRAWAL, available + D("0.01"))
    assert refusal.value.details == {"required": available + D("0.01"), "available": available}
    assert counts() == before
    administration.move_funds(trader, LedgerKind.WITHDRAWAL, available)
    assert account_now(trader)["available_margin"] == 0


def test_withdrawals_at_once_never_overdraw(account):
    trader = account("100.00").id
    results = at_once([functools.partial(administration.move_funds, trader, LedgerKind.WITHDRAWAL, D("30.00"))] * 8)
    assert sum(isinstance(result, InsufficientMargin) for result in results) == 5
    assert account_now(trader)["balance"] == D("10.00")


def test_a_withdrawal_and_an_order_at_once_do_not_spend_the_same_money(account):
    for _ in range(10):
        trader = account("210.00").id
        withdraw = functools.partial(administration.move_funds, trader, LedgerKind.WITHDRAWAL, D("150.00"))
        results = at_once([withdraw, functools.partial(buy, trader, 10, "100.00")])
        assert sum(isinstance(result, InsufficientMargin) for result in results) == 1
        assert account_now(trader)["available_margin"] >= 0


def test_an_account_is_suspended_and_made_active_again(trader):
    assert administration.set_status(trader, AccountStatus.SUSPENDED)["status"] == "SUSPENDED"
    assert account_now(trader)["status"] == "SUSPENDED"
    assert administration.set_status(trader, AccountStatus.ACTIVE)["status"] == "ACTIVE"


def test_a_renamed_account_tells_its_listeners(trader):
    before = account_now(trader)
    assert administration.rename(trader, "आशा")["name"] == "आशा"
    assert account_now(trader)["last_event_id"] == before["last_event_id"] + 1


def test_accounts_are_listed_oldest_first_and_found_by_a_part_of_their_name(clean):
    with ids_in_order():
        first, second, third = (administration.create_account(name)["id"] for name in ("Asha 100%", "ben", "Nata_sha"))
    assert [row["id"] for row in list_accounts()] == [first, second, third]
    assert [row["id"] for row in list_accounts("SHA")] == [first, third]
    assert [row["id"] for row in list_accounts("%")] == [first]
    assert [row["id"] for row in list_accounts("a_s")] == [third]
    assert [row["id"] for row in list_accounts(after=first)] == [second, third]
    assert [row["id"] for row in list_accounts(after=first, limit=1)] == [second]


def test_an_unknown_account_is_not_found(clean):
    with pytest.raises(NotFound):
        administration.move_funds(uuid4(), LedgerKind.DEPOSIT, D("1.00"))
    with pytest.raises(NotFound):
        administration.set_status(uuid4(), AccountStatus.ACTIVE)
    with pytest.raises(NotFound):
        administration.rename(uuid4(), "Asha")
