"""Statements that wait are sent with the next one or with the commit: in one round trip, in their order, once."""

import threading

import pytest
from peewee import IntegrityError

from models import connections, database
from tests.support.trading import one, rows

INSERT = "INSERT INTO stock (id, exchange, symbol) VALUES (gen_random_uuid(), 'NSE', %s)"


@pytest.fixture
def sent(clean, monkeypatch):
    """Return the texts that this thread sent to the server; a hub of an earlier test may still look at it."""
    texts, usual, sender = [], connections.Cursor.execute, threading.get_ident()

    def execute(self, query, parameters=None):
        usual(self, query, parameters)
        if threading.get_ident() == sender:
            texts.append(self.query.decode())

    monkeypatch.setattr(connections.Cursor, "execute", execute)
    return texts


def symbols():
    return [row["symbol"] for row in rows("SELECT symbol FROM stock ORDER BY symbol")]


@database.transactional
def run(*symbols, before_the_end=lambda: None):
    """Let the stocks be inserted later, and do this before the end."""
    for symbol in symbols:
        database.later(INSERT, (symbol,))
    before_the_end()


def fail():
    raise ZeroDivisionError


def send_and_fail():
    database.send_waiting()
    fail()


def test_a_transaction_begins_with_its_first_statement(sent):
    with database.session(), database.db.atomic():
        assert database.fetch_one("SELECT 1 AS one") == {"one": 1}
    assert sent == ["BEGIN;\nSELECT 1 AS one", "COMMIT"]


def test_statements_that_wait_are_sent_with_the_next_one_whose_result_counts(sent):
    with database.session(), database.db.atomic():
        database.later(INSERT, ("A",))
        database.later(INSERT, ("B",))
        assert database.fetch_one("SELECT count(*) AS stocks FROM stock") == {"stocks": 2}
    assert len(sent) == 2
    assert symbols() == ["A", "B"]


def test_statements_that_wait_are_sent_with_the_commit(sent):
    run("A")
    assert len(sent) == 1
    assert symbols() == ["A"]


def test_a_transaction_without_a_statement_sends_nothing(sent):
    run(before_the_end=database.send_waiting)
    assert sent == []


def test_a_rollback_forgets_what_waits(sent):
    with pytest.raises(ZeroDivisionError):
        run("A", before_the_end=fail)
    assert sent == []
    run("B")
    assert symbols() == ["B"]


def test_a_rollback_after_a_statement_undoes_what_was_sent(clean):
    with pytest.raises(ZeroDivisionError):
        run("A", before_the_end=send_and_fail)
    assert symbols() == []


def test_the_error_of_a_waiting_statement_is_raised_by_the_commit_and_nothing_stays(clean):
    with pytest.raises(IntegrityError):
        run("A", "A")
    assert symbols() == []
    assert one("SELECT 1") == 1  # the connection is in no transaction


def test_outside_a_transaction_no_statement_may_wait(clean):
    with database.session(), pytest.raises(RuntimeError, match="transaction"):
        database.later(INSERT, ("A",))
