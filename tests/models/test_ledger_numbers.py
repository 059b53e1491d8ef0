"""The ledger's entries are numbered 1, 2, 3 … by their account, beside the previous release and after a migration."""

import pytest
from peewee import IntegrityError
from playhouse.migrations import Runner

from models import database, migrate
from models.identifiers import new_id
from tests.models.rows import insert_entry
from tests.support.trading import rows, run
from trading.accounts import administration
from trading.upkeep import verify

LAST_BEFORE = "0020_candles"


def numbers(account_id):
    found = rows("SELECT id FROM fund_transaction WHERE account_id = %s ORDER BY id", account_id)
    return [row["id"] for row in found]


def test_entries_without_a_number_get_the_next_one_of_their_account(account_id):
    other = new_id()
    run("INSERT INTO account (id, name) VALUES (%s, 'Other')", other)
    for owner in (account_id, other, account_id, account_id):
        insert_entry(owner)
    assert (numbers(account_id), numbers(other)) == ([1, 2, 3], [1])


def test_an_entry_that_is_rolled_back_leaves_no_gap(account_id):
    with pytest.raises(IntegrityError):
        insert_entry(account_id, amount=0)
    insert_entry(account_id)
    assert numbers(account_id) == [1]


@pytest.fixture
def before(other_database):
    """Set a database of the release before the counters, with two accounts whose entries alternate; return them."""
    other_database()
    with database.session():
        Runner(database.db, str(migrate.DIRECTORY)).up(LAST_BEFORE)
    accounts = [new_id(), new_id()]
    for account_id in accounts:
        run("INSERT INTO account (id, name, balance) VALUES (%s, 'Plain', 2)", account_id)
    for account_id, balance in zip(accounts * 2, (1, 1, 2, 2), strict=True):
        insert_entry(account_id, balance_after=balance)
    return accounts


def test_a_migration_keeps_the_numbers_that_are_there_and_counts_on(before):
    assert [numbers(account_id) for account_id in before] == [[1, 3], [2, 4]]
    migrate.upgrade()
    assert [numbers(account_id) for account_id in before] == [[1, 3], [2, 4]]
    for account_id in before:
        administration.move_funds(account_id, "DEPOSIT", 1)
    assert [numbers(account_id) for account_id in before] == [[1, 3, 5], [2, 4, 5]]
    opened = administration.create_account("New", 1)["id"]
    assert numbers(opened) == [1]
    assert verify.verify() == []


def test_an_entry_that_is_lost_after_the_migration_is_noticed(before):
    migrate.upgrade()
    for _ in range(2):
        administration.move_funds(before[0], "DEPOSIT", 1)
    without_triggers = "SET session_replication_role = replica; {}; RESET session_replication_role"
    run(without_triggers.format("DELETE FROM fund_transaction WHERE id = 5"))
    assert "ledger entries are numbered without a gap" in {found.rule for found in verify.verify()}


def test_the_migration_of_an_empty_database_begins_at_one(other_database):
    other_database()
    migrate.upgrade()
    assert numbers(administration.create_account("First", 1)["id"]) == [1]
