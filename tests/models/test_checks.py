"""The constraints of the tables refuse invalid rows."""

from datetime import UTC, date, datetime
from uuid import uuid4

import psycopg2.errors
import pytest
from peewee import DataError, IntegrityError, ProgrammingError

from models.identifiers import new_id
from tests.models.rows import insert, insert_entry, insert_order, insert_position
from tests.support.trading import one, run

NOW = datetime(2026, 11, 20, tzinfo=UTC)
DIGEST = b"d" * 32


def refused(action, name):
    """Assert that the database refuses an action and names this constraint or column."""
    with pytest.raises((IntegrityError, DataError)) as refusal:
        action()
    assert name in str(refusal.value)


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"name": ""}, "account_name_check"),
        ({"name": "x" * 201}, "account_name_check"),
        ({"name": None}, "name"),
        ({"status": "CLOSED"}, "account_status_check"),
        ({"blocked_margin": "-0.01"}, "account_blocked_margin_check"),
        ({"last_event_id": -2}, "last_event_id"),
        ({"balance": None}, "balance"),
        ({"balance": "1e18"}, "overflow"),
    ],
)
def test_an_account_refuses(clean, columns, name):
    refused(lambda: insert("account", **({"id": new_id(), "name": "Asha"} | columns)), name)


def test_an_account_may_owe(clean):
    insert("account", id=new_id(), name="Asha", balance="-5", blocked_margin="2")
    assert one("SELECT available_margin FROM account") == -7


@pytest.mark.parametrize(
    "statement",
    ["UPDATE account SET available_margin = 1", "INSERT INTO account (id, name, available_margin) VALUES (%s, 'x', 1)"],
)
def test_available_margin_cannot_be_written(account_id, statement):
    with pytest.raises(ProgrammingError, match="available_margin"):
        run(statement, *[new_id()] * statement.count("%s"))


def test_available_margin_follows_balance_and_blocked_margin(account_id):
    run("UPDATE account SET blocked_margin = 300")
    assert one("SELECT available_margin FROM account") == 700


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"exchange": "NYSE"}, "stock_exchange_check"),
        ({"symbol": "tcs"}, "stock_symbol_check"),
        ({"symbol": ""}, "stock_symbol_check"),
        ({"symbol": "A" * 33}, "stock_symbol_check"),
        ({"symbol": "A B"}, "stock_symbol_check"),
        ({"symbol": "TCS\n"}, "stock_symbol_check"),
        ({"last_price": 0, "last_price_at": NOW}, "price_check"),
        ({"last_price": 1}, "stock_check"),
        ({"last_price_at": NOW}, "stock_check"),
    ],
)
def test_a_stock_refuses(clean, columns, name):
    refused(lambda: insert("stock", **({"id": new_id(), "exchange": "NSE", "symbol": "TCS"} | columns)), name)


def test_a_symbol_is_known_once_per_exchange(stock_id):
    refused(lambda: insert("stock", id=new_id(), exchange="NSE", symbol="TCS"), "stock_exchange_symbol_key")
    insert("stock", id=new_id(), exchange="BSE", symbol="TCS")


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"product": "FUTURES"}, "position_product_check"),
        ({"cost": -1}, "position_cost_check"),
        ({"blocked_margin": -1}, "position_blocked_margin_check"),
        ({"quantity": 0}, "position_cost_is_zero_exactly_when_flat"),
        ({"cost": 0}, "position_cost_is_zero_exactly_when_flat"),
        ({"quantity": 0, "cost": 0}, "position_margin_is_zero_when_flat"),
        ({"product": "DELIVERY", "quantity": -1}, "position_delivery_is_never_short"),
        ({"account_id": uuid4()}, "position_account_id_fkey"),
        ({"stock_id": uuid4()}, "position_stock_id_fkey"),
    ],
)
def test_a_position_refuses(account_id, stock_id, columns, name):
    refused(lambda: insert_position(**({"account_id": account_id, "stock_id": stock_id} | columns)), name)


def test_a_position_is_one_per_account_stock_and_product(account_id, stock_id):
    insert_position(account_id, stock_id)
    refused(lambda: insert_position(account_id, stock_id), "position_account_id_stock_id_product_key")
    insert_position(account_id, stock_id, product="DELIVERY")


def test_a_position_may_be_tiny_and_an_intraday_one_short(account_id, stock_id):
    insert_position(account_id, stock_id, quantity=-1, cost="0.01", blocked_margin=0)


EXECUTED = {"status": "EXECUTED", "filled_quantity": 10, "average_price": 100, "executed_at": NOW}


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"exchange": "NYSE"}, "trading_order_exchange_check"),
        ({"client_order_id": ""}, "trading_order_client_order_id_check"),
        ({"client_order_id": "x" * 65}, "trading_order_client_order_id_check"),
        ({"client_order_id": "é"}, "trading_order_client_order_id_check"),
        ({"client_order_id": "a\n"}, "trading_order_client_order_id_check"),
        ({"side": "HOLD"}, "trading_order_side_check"),
        ({"product": "FUTURES"}, "trading_order_product_check"),
        ({"order_type": "STOP", "price": None}, "trading_order_order_type_check"),
        ({"quantity": 0}, "trading_order_quantity_check"),
        ({"quantity": 1_000_001}, "trading_order_quantity_check"),
        ({"price": 0}, "price_check"),
        ({"average_price": 0}, "price_check"),
        ({"status": "OPEN"}, "order_rests_only_on_quotes"),
        ({"status": "LOST"}, "trading_order_status_check"),
        ({"closing_quantity": -1}, "trading_order_check"),
        ({"closing_quantity": 11}, "trading_order_check"),
        ({"blocked_margin": -1}, "trading_order_blocked_margin_check"),
        ({"charges": -1}, "trading_order_charges_check"),
        ({"attempts": -1}, "trading_order_attempts_check"),
        ({"price": None}, "order_limit_has_a_price"),
        ({"order_type": "MARKET"}, "order_limit_has_a_price"),
        ({"filled_quantity": 1}, "order_is_filled_once_and_whole"),
        ({"executed_at": NOW}, "order_is_filled_once_and_whole"),
        (EXECUTED, "order_is_filled_once_and_whole"),  # without a position
        ({"status": "REJECTED"}, "order_rejection_has_a_reason"),
        ({"rejection_reason": "no_price"}, "order_rejection_has_a_reason"),
        ({"status": "CANCELLED", "rejection_reason": "no_price"}, "order_rejection_has_a_reason"),
        ({"product": "DELIVERY", "side": "SELL", "closing_quantity": 9}, "order_delivery_sell_is_covered"),
        ({"account_id": uuid4()}, "trading_order_account_id_fkey"),
        ({"stock_id": uuid4()}, "trading_order_stock_id_fkey"),
        ({"position_id": uuid4()}, "trading_order_position_id_fkey"),
        ({"charge_items": None}, "charge_items"),
    ],
)
def test_an_order_refuses(account_id, stock_id, columns, name):
    refused(lambda: insert_order(**({"account_id": account_id, "stock_id": stock_id} | columns)), name)


@pytest.mark.parametrize("missing", [*sorted(EXECUTED.keys() - {"status"}), "position_id"])
def test_an_executed_order_needs_every_part_of_its_fill(account_id, stock_id, missing):
    whole = EXECUTED | {"position_id": insert_position(account_id, stock_id)}
    partial = {name: value for name, value in whole.items() if name != missing}
    refused(lambda: insert_order(account_id, stock_id, **partial), "order_is_filled_once_and_whole")
    refused(lambda: insert_order(account_id, stock_id, **(whole | {"filled_quantity": 9})), "order_is_filled_once")
    insert_order(account_id, stock_id, **whole)


def test_a_client_order_id_is_unique_within_its_account(account_id, stock_id):
    insert_order(account_id, stock_id, client_order_id="mine")
    refused(lambda: insert_order(account_id, stock_id, client_order_id="mine"), "order_client_order_id")
    insert_order(account_id, stock_id)
    insert_order(account_id, stock_id)


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"kind": "GIFT"}, "fund_transaction_kind_check"),
        ({"amount": 0}, "fund_transaction_amount_check"),
        ({"amount": -1}, "fund_transaction_amount_check"),
        ({"blocked_after": -1}, "fund_transaction_blocked_after_check"),
        ({"kind": "CHARGES"}, "transaction_belongs_to_an_order"),
        ({"kind": "MARGIN_BLOCK"}, "transaction_belongs_to_an_order"),
        ({"order_id": uuid4()}, "transaction_belongs_to_an_order"),
        ({"kind": "CHARGES", "order_id": uuid4()}, "fund_transaction_order_id_fkey"),
        ({"position_id": uuid4()}, "fund_transaction_position_id_fkey"),
        ({"account_id": uuid4(), "id": 1}, "fund_transaction_account_id_fkey"),
    ],
)
def test_a_ledger_row_refuses(account_id, columns, name):
    refused(lambda: insert_entry(**({"account_id": account_id} | columns)), name)


def test_two_ledger_rows_of_an_account_never_have_one_number(account_id):
    insert_entry(account_id, id=7)
    refused(lambda: insert_entry(account_id, id=7), "fund_transaction_pkey")


@pytest.mark.parametrize(
    ("columns", "name"),
    [({"id": 0}, "event_id_check"), ({"type": "order.lost"}, "event_type_check"), ({"id": 1}, "event_pkey")],
)
def test_an_event_refuses(account_id, columns, name):
    event = {"account_id": account_id, "id": 99, "type": "account.updated", "data": "{}"}
    refused(lambda: insert("event", **(event | columns)), name)


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        ({"scopes": []}, "api_token_scopes_check"),
        ({"scopes": ["root"]}, "api_token_scopes_check"),
        ({"digest": b"short"}, "api_token_digest_check"),
        ({"scopes": ["trade"]}, "token_trades_for_one_account"),
        ({"scopes": ["read"]}, "token_trades_for_one_account"),
        ({"scopes": ["read", "admin"]}, "token_trades_for_one_account"),
        ({"account_id": True}, "token_"),
        ({"account_id": True, "scopes": ["trade", "admin"]}, "token_of_an_account_only_trades"),
        ({"account_id": True, "scopes": ["read", "feed"]}, "token_of_an_account_only_trades"),
        ({"account_id": uuid4(), "scopes": ["read"]}, "api_token_account_id_fkey"),
    ],
)
def test_a_token_refuses(account_id, columns, name):
    token = {"id": new_id(), "digest": DIGEST, "scopes": ["admin"]} | columns
    if token.get("account_id") is True:
        token["account_id"] = account_id
    refused(lambda: insert("api_token", **token), name)


def test_a_digest_is_unique(clean):
    insert("api_token", id=new_id(), digest=DIGEST, scopes=["admin", "feed"])
    refused(lambda: insert("api_token", id=new_id(), digest=DIGEST, scopes=["feed"]), "api_token_digest_key")


def test_a_holiday_has_a_known_calendar_and_is_unique(clean):
    holiday = {"calendar": "NSE", "day": date(2026, 12, 25), "name": "Christmas"}
    insert("market_holiday", **holiday)
    refused(lambda: insert("market_holiday", **holiday), "market_holiday_pkey")
    refused(lambda: insert("market_holiday", **(holiday | {"calendar": "MCX"})), "market_holiday_calendar_check")


@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_nan_and_infinity_are_refused_as_price_and_as_amount(account_id, stock_id, number):
    with pytest.raises((IntegrityError, DataError, psycopg2.errors.NumericValueOutOfRange)):
        insert_order(account_id, stock_id, price=number)
    with pytest.raises((IntegrityError, DataError, psycopg2.errors.NumericValueOutOfRange)):
        insert_entry(account_id, amount=number)
