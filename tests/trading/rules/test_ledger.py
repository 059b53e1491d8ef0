"""The ledger's arithmetic."""

from decimal import Decimal
from uuid import uuid4

import pytest

from trading.rules.ledger import EFFECTS, AccountLedger

HUNDRED = Decimal("100.00")


@pytest.fixture
def book():
    return AccountLedger(uuid4(), "ACTIVE", Decimal("1000.00"), Decimal("200.00"), Decimal("0.00"), 6)


@pytest.mark.parametrize(
    ("kind", "balance", "blocked", "pnl"),
    [
        ("DEPOSIT", 1100, 200, 0),
        ("WITHDRAWAL", 900, 200, 0),
        ("CHARGES", 900, 200, 0),
        ("CHARGES_REFUND", 1100, 200, 0),
        ("PROFIT", 1100, 200, 100),
        ("LOSS", 900, 200, -100),
        ("MARGIN_BLOCK", 1000, 300, 0),
        ("MARGIN_RELEASE", 1000, 100, 0),
    ],
)
def test_each_kind_has_its_effect(book, kind, balance, blocked, pnl):
    order_id, position_id = uuid4(), uuid4()
    book.post(kind, HUNDRED, order_id=order_id, position_id=position_id)
    assert (book.balance, book.blocked_margin, book.realized_pnl) == (balance, blocked, pnl)
    assert book.available_margin == balance - blocked
    assert book.entries == [(book.account_id, 7, kind, HUNDRED, balance, blocked, order_id, position_id)]


def test_the_kinds_are_ten():
    assert len(EFFECTS) == 10


@pytest.mark.parametrize("kind", EFFECTS)
@pytest.mark.parametrize("zero", ["0", "0.00"])
def test_a_change_of_zero_leaves_no_row(book, kind, zero):
    book.post(kind, Decimal(zero))
    assert book.entries == []
    assert (book.balance, book.blocked_margin, book.last_entry_id) == (1000, 200, 6)


def test_a_negative_amount_is_a_mistake_of_the_caller(book):
    with pytest.raises(AssertionError):
        book.post("DEPOSIT", Decimal("-1.00"))
    assert book.entries == []


def test_entries_keep_their_order_and_running_sums(book):
    for kind in ("MARGIN_BLOCK", "CHARGES", "MARGIN_RELEASE"):
        book.post(kind, HUNDRED)
    assert [(entry.balance_after, entry.blocked_after) for entry in book.entries] == [
        (1000, 300),
        (900, 300),
        (900, 200),
    ]
    assert [entry.id for entry in book.entries] == [7, 8, 9]
    assert book.last_entry_id == 9


def test_a_paisa_is_an_amount(book):
    book.post("DEPOSIT", Decimal("0.01"))
    assert [entry.amount for entry in book.entries] == [Decimal("0.01")]


def test_profits_and_losses_add_up(book):
    for kind in ("PROFIT", "PROFIT", "LOSS", "PROFIT"):
        book.post(kind, HUNDRED)
    assert book.realized_pnl == 200
