"""The function order_write, and placement_write of the previous release, check an order's cover themselves."""

import functools

import pytest
from peewee import IntegrityError

from models.identifiers import new_id
from tests.support.trading import counts, one, rows, run


@pytest.fixture(params=["order_write", "placement_write"])
def write(request):
    """Return a function that calls the function of the database."""
    return functools.partial(call, request.param)


def call(function, account_id, stock_id, *, quantity=10, closing=0, margin=200, charges=1):
    """Call a function with its arguments by name; the arguments not named here are NULL."""
    known = {
        "new_id": new_id(), "the_account": account_id, "the_stock": stock_id, "the_exchange": "NSE",
        "the_symbol": "TCS", "the_client_order_id": None, "the_side": "BUY", "the_product": "INTRADAY",
        "the_order_type": "LIMIT", "the_quantity": quantity, "the_price": 100, "the_closing_quantity": closing,
        "the_margin": margin, "the_charges": charges, "the_items": "{}", "the_validity": "DAY",
        "the_after_market": False, "the_fill_model": "IMMEDIATE", "the_limit_fills": "book",
        "waits_for_session": False,
    }  # fmt: skip
    names = one("SELECT proargnames[1:pronargs] FROM pg_proc WHERE proname = %s", function)
    types = one("SELECT proargtypes::regtype[]::text[] FROM pg_proc WHERE proname = %s", function)
    values = ", ".join(f"%s::{type_name}" for type_name in types)
    run(f"SELECT {function}({values})", *(known.get(name) for name in names))


def test_an_order_that_opens_may_use_the_last_paisa(write, account_id, stock_id):
    write(account_id, stock_id, margin=999, charges=1)
    assert one("SELECT available_margin FROM account") == 0


def test_an_order_that_opens_may_not_take_the_available_margin_below_zero(write, account_id, stock_id):
    before = counts()
    with pytest.raises(IntegrityError, match="below zero"):
        write(account_id, stock_id, margin="999.01", charges=1)
    assert counts() == before
    assert one("SELECT balance FROM account") == 1000


def test_an_order_that_only_closes_may_take_it_below_zero(write, account_id, stock_id):
    write(account_id, stock_id, closing=10, margin=0, charges=1001)
    assert one("SELECT available_margin FROM account") == -1


def test_an_order_that_opens_a_part_may_not_take_it_below_zero(write, account_id, stock_id):
    with pytest.raises(IntegrityError, match="below zero"):
        write(account_id, stock_id, closing=9, margin=0, charges=1001)


def test_the_ledger_rows_of_a_placement_carry_the_running_sums(write, account_id, stock_id):
    write(account_id, stock_id, margin=200, charges=1)
    entries = rows("SELECT kind, amount, balance_after, blocked_after FROM fund_transaction ORDER BY id")
    assert [tuple(entry.values()) for entry in entries] == [("MARGIN_BLOCK", 200, 1000, 200), ("CHARGES", 1, 999, 200)]
