"""Every stock has an instrument token of its own, whoever creates it."""

import importlib
from typing import Any

import psycopg2
import pytest
from peewee import IntegrityError

from models import migrate
from models.database import session
from models.identifiers import new_id
from tests.models.rows import insert_order
from tests.support.trading import one, rows, run

FIRST_OWN, LAST_OWN = 4_000_000, 8_388_607
BY_THE_PREVIOUS_RELEASE = "INSERT INTO stock (id, exchange, symbol) VALUES (%s, %s, %s)"


def token_of(stock_id: Any) -> int:
    """Return a stock's token."""
    return one("SELECT instrument_token FROM stock WHERE id = %s", stock_id)


@pytest.mark.parametrize(("exchange", "segment"), [("NSE", 1), ("BSE", 4)])
def test_a_stock_that_the_previous_release_creates_gets_a_token(clean: None, exchange: str, segment: int) -> None:
    ids = [new_id(), new_id()]
    for number, stock_id in enumerate(ids):
        run(BY_THE_PREVIOUS_RELEASE, stock_id, exchange, f"S{number}")
    first, second = map(token_of, ids)
    assert first % 256 == second % 256 == segment
    assert first >> 8 < second >> 8
    assert FIRST_OWN <= first >> 8 <= LAST_OWN


def test_the_last_own_token_fits_into_31_bits(clean: None) -> None:
    with session():
        largest = one("SELECT max_value FROM pg_sequences WHERE sequencename = 'synthetic_exchange_token'")
    assert largest == LAST_OWN
    assert largest * 256 + 4 < 2**31


def test_two_stocks_never_have_the_same_token(stock_id: Any) -> None:
    with pytest.raises(IntegrityError, match="stock_by_instrument_token"):
        run(
            "INSERT INTO stock (id, exchange, symbol, instrument_token) VALUES (%s, 'NSE', 'INFY', %s)",
            new_id(),
            token_of(stock_id),
        )


@pytest.mark.parametrize(
    "change",
    ["instrument_token = NULL", "instrument_token = 0", "isin = 'INE'", "isin = 'ine467b01029'", "series = ''"],
)
def test_the_database_refuses_facts_that_no_instrument_has(stock_id: Any, change: str) -> None:
    with pytest.raises(IntegrityError):
        run(f"UPDATE stock SET {change}")


def test_a_change_of_a_token_and_a_new_order_do_not_wait_for_each_other(
    account_id: Any, stock_id: Any, database_url: str
) -> None:
    """An order's foreign key locks the key of its stock, of which the token must be no part."""
    other = psycopg2.connect(database_url)
    try:
        with other.cursor() as cursor:
            cursor.execute("UPDATE stock SET instrument_token = 2953217")
            insert_order(account_id, stock_id)
        other.commit()
    finally:
        other.close()
    assert token_of(stock_id) == 2953217


def test_the_migration_goes_on_where_a_failure_has_ended_it(other_database: Any) -> None:
    """It gives tokens to the stocks that have none, and leaves the others alone."""
    other_database()
    migrate.upgrade()
    bare, known = new_id(), new_id()
    for stock_id, exchange in ((bare, "NSE"), (known, "BSE")):
        run(BY_THE_PREVIOUS_RELEASE, stock_id, exchange, "TCS")
    kept = token_of(known)
    run("ALTER TABLE stock ALTER COLUMN instrument_token DROP NOT NULL")
    run("DROP INDEX stock_by_instrument_token")
    run("UPDATE stock SET instrument_token = NULL WHERE id = %s", bare)
    with session():
        importlib.import_module("models.migrations.0019_instruments").up(None, None)
    assert token_of(bare) >> 8 >= FIRST_OWN
    assert token_of(known) == kept
    assert rows("SELECT indisvalid FROM pg_index WHERE indexrelid = 'stock_by_instrument_token'::regclass") == [
        {"indisvalid": True}
    ]
    with pytest.raises(IntegrityError):
        run("UPDATE stock SET instrument_token = NULL")
