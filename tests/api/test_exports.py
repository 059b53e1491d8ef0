"""Lists as CSV: the JSON's columns, all rows, and a limit of exports at the same time."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from api.http import exports
from api.http.token_cache import token_cache
from models.database import DatabaseUnavailable, Row, db, execute, fetch_all, session
from tests.support.trading import buy, execute_all, sell
from trading.accounts.administration import move_funds
from trading.accounts.ledgers import first_entry_since
from trading.rules.ledger import LedgerKind

ORDERS, TRADES, TRANSACTIONS = (f"/api/trading/{name}" for name in ("orders", "trades", "transactions"))


@pytest.fixture
def trader(account: Any) -> Any:
    """Return an account with five filled orders, and one that was placed with another tag."""
    made = account()
    orders = [buy(made.id, 2, "100.00", tag='a,"b"', client_order_id=f"c-{number}") for number in range(4)]
    for order in orders:  # each by itself: orders of one batch are executed at the same time
        execute_all(order)
    execute_all(sell(made.id, 3, "90.00"))
    buy(made.id, 1, "100.00", tag="=1+1")
    return made


@pytest.fixture
def export(client: Any, trader: Any) -> Any:
    """Return a function that requests a list of the account as CSV."""

    def get(path: str, accept: str = "text/csv", method: str = "get", **query: Any) -> Any:
        headers = trader.headers | {"Accept": accept}
        return getattr(client, method)(path, query_string=query, headers=headers)

    return get


@pytest.fixture
def in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let portions have four rows, and be sent one row at a time."""
    monkeypatch.setattr(exports, "PORTION", 4)
    monkeypatch.setattr(exports, "CHUNK", 1)


def rows_of(response: Any) -> list[dict[str, str]]:
    """Return the rows of a response with CSV."""
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.get_data(as_text=True), newline="")))


def as_cells(row: Row, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the cells that a row of JSON should have."""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from as_cells(value, f"{prefix}{name}.")
        elif value is None:
            yield f"{prefix}{name}", ""
        elif isinstance(value, bool):
            yield f"{prefix}{name}", str(value).lower()
        else:
            yield f"{prefix}{name}", f"'{value}" if name == "tag" and value.startswith("=") else str(value)


@pytest.mark.parametrize("path", [ORDERS, TRADES, TRANSACTIONS])
@pytest.mark.usefixtures("in_portions")
def test_an_export_has_the_rows_and_columns_of_the_whole_list(export: Any, path: str) -> None:
    listed = export(path, "application/json", limit=200).get_json()["data"]
    exported = rows_of(export(path))
    assert len(exported) == len(listed) > exports.PORTION
    for row, found in zip(listed, exported, strict=True):
        wanted = dict(as_cells(row))
        # A fill that is null has the columns of its members all the same.
        assert {name: found[name] for name in wanted if name != "fill"} == {
            name: value for name, value in wanted.items() if name != "fill"
        }


def test_the_columns_of_orders_are_those_of_the_json(export: Any) -> None:
    row = export(ORDERS, "application/json", limit=1).get_json()["data"][0]
    fill = [f"fill.{name}" for name in ("quoteNumber", "bid", "ask", "last", "quotedAt", "rule")]
    assert list(rows_of(export(ORDERS))[0]) == [*(name for name in row if name != "fill"), *fill]


def test_an_export_without_rows_has_its_headings(export: Any) -> None:
    response = export(ORDERS, status="REJECTED")
    assert response.get_data(as_text=True).startswith("orderId,tradingAccountId,")
    assert response.get_data(as_text=True).count("\r\n") == 1


@pytest.mark.usefixtures("in_portions")
def test_an_export_has_the_filters_and_the_range_of_its_list(export: Any) -> None:
    assert len(rows_of(export(ORDERS, side="SELL"))) == 1
    assert len(rows_of(export(TRANSACTIONS, kind="MARGIN_BLOCK"))) == 5
    times = [row["tradedAt"] for row in rows_of(export(TRADES))]
    assert [row["tradedAt"] for row in rows_of(export(TRADES, **{"from": times[3], "to": times[0]}))] == times[1:4]
    assert export(ORDERS, status="GONE").status_code == 422


@pytest.mark.usefixtures("in_portions")
def test_orders_that_have_changed_since_a_time_are_exported(export: Any, trader: Any) -> None:
    times = sorted(row["updatedAt"] for row in rows_of(export(ORDERS)))
    assert len(rows_of(export(ORDERS, updatedFrom=times[1]))) == 5
    assert rows_of(export(ORDERS, status="EXECUTED", updatedFrom=times[-1])) == []


def test_a_text_that_a_spreadsheet_would_compute_begins_with_an_apostrophe(export: Any) -> None:
    assert {row["tag"] for row in rows_of(export(ORDERS))} == {"'=1+1", "", 'a,"b"'}


def test_a_negative_number_stays_a_number(export: Any, trader: Any) -> None:
    with session():
        execute(
            "INSERT INTO fund_transaction (account_id, kind, amount, balance_after, blocked_after)"
            " VALUES (%s, 'WITHDRAWAL', 5, -12.5, 0)",
            (trader.id,),
        )
    assert rows_of(export(TRANSACTIONS))[0]["balanceAfter"] == "-12.50"


def test_the_response_is_a_file(export: Any) -> None:
    response = export(TRANSACTIONS)
    assert response.content_type == "text/csv; charset=utf-8; header=present"
    assert response.headers["Content-Disposition"].startswith('attachment; filename="transactions-2')
    assert response.headers["Vary"] == "Accept"
    assert export(TRANSACTIONS, "application/json").headers["Vary"] == "Accept"


@pytest.mark.parametrize(
    ("accept", "is_csv"),
    [
        ("", False),
        ("*/*", False),
        ("text/csv", True),
        ("TEXT/CSV", True),
        ("text/*", True),
        ("text/csv; charset=utf-8", True),
        ("text/csv;header=present;q=0.5", True),
        ("text/csv;q=0", False),
        ("text/csv;q=0, */*", False),
        ("text/*;q=0.9, text/csv;q=0.1, application/json;q=0.5", False),
        ("text/csv;q=0.5, application/json", False),
        ("application/json;q=0.5, text/csv;q=0.6", True),
        ("text/csv, application/json", False),
        ("text/csv, */*;q=0.1", True),
        ("text/html, */*;q=0.8", False),
        ("application/xml", False),
        ("text/csv;q=x", False),
    ],
)
def test_accept_chooses_the_representation(export: Any, accept: str, is_csv: bool) -> None:
    assert (export(ORDERS, accept).mimetype == "text/csv") == is_csv


@pytest.mark.parametrize("query", [{"limit": 10}, {"cursor": "WzFd"}])
def test_an_export_has_no_pages(export: Any, query: dict[str, Any]) -> None:
    assert list(export(ORDERS, **query).get_json()["errors"]) == list(query)


@pytest.mark.usefixtures("in_portions")
def test_no_connection_is_held_between_two_portions(export: Any) -> None:
    response = export(TRANSACTIONS)
    for _ in response.response:
        assert db.is_closed()


@pytest.mark.usefixtures("in_portions")
def test_a_database_that_fails_half_way_ends_the_body_early(export: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseUnavailable("gone")

    response = export(TRANSACTIONS)
    monkeypatch.setattr(exports, "fetch_rows", fail)
    received = []
    with pytest.raises(ConnectionResetError):
        received += response.response
    assert export(TRANSACTIONS).status_code == 503  # at the beginning it is a problem document


@pytest.mark.usefixtures("in_portions")
def test_an_export_ends_with_its_token(export: Any, trader: Any) -> None:
    response = export(TRANSACTIONS)
    with session():
        execute("UPDATE api_token SET revoked_at = clock_timestamp() WHERE account_id = %s", (trader.id,))
    token_cache.forget()
    with pytest.raises(ConnectionResetError):
        list(response.response)


@pytest.mark.usefixtures("in_portions")
def test_a_reader_has_a_limited_time(export: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "LIMIT_S", 0.0)
    with pytest.raises(ConnectionResetError):
        list(export(TRANSACTIONS).response)


def test_an_account_has_two_exports_at_the_same_time(export: Any, account: Any, client: Any) -> None:
    first, second = export(ORDERS), export(TRADES)
    refused = export(TRANSACTIONS)
    assert (refused.status_code, refused.get_json()["code"]) == (429, "too_many_exports")
    assert refused.headers["Retry-After"] == "10"
    assert client.get(ORDERS, headers=account().headers | {"Accept": "text/csv"}).status_code == 200
    first.close()
    first.close()
    rows_of(export(TRANSACTIONS))
    third = export(ORDERS)
    assert (third.status_code, export(ORDERS).status_code) == (200, 429)
    second.close()
    third.close()


def test_a_head_request_leaves_no_export_behind(export: Any) -> None:
    for _ in range(exports.EXPORTS_OF_ACCOUNT + 1):
        response = export(ORDERS, method="head")
        assert (response.status_code, response.mimetype) == (200, "text/csv")
        response.close()


def test_an_administrator_names_the_account(client: Any, headers_for: Any, trader: Any) -> None:
    headers = headers_for("admin") | {"Accept": "text/csv"}
    response = client.get(TRADES, headers=headers, query_string={"tradingAccountId": str(trader.id)})
    assert len(rows_of(response)) == 5
    assert client.get(TRADES, headers=headers).status_code == 422


def test_the_first_entry_since_a_time_is_found_by_halving(trader: Any, account: Any) -> None:
    other = account()
    for _ in range(3):  # gaps in the numbers of the account
        move_funds(other.id, LedgerKind.DEPOSIT, trader.row["balance"])
        move_funds(trader.id, LedgerKind.DEPOSIT, trader.row["balance"])
    with session():
        entries = fetch_all("SELECT id, created_at FROM fund_transaction WHERE account_id = %s", (trader.id,))
        moments: list[datetime] = [entry["created_at"] for entry in entries]
        for moment in [*moments, moments[0] - timedelta(days=1), moments[-1] + timedelta(days=1)]:
            for since in (moment, moment + timedelta(microseconds=1)):
                first = first_entry_since(trader.id, since)
                assert first is not None
                assert [entry["created_at"] >= since for entry in entries] == [e["id"] >= first for e in entries]
        assert first_entry_since(trader.id, None) is None


def test_the_ledger_is_listed_from_a_time_to_another(export: Any) -> None:
    listed = export(TRANSACTIONS, "application/json").get_json()["data"]
    part = {"from": listed[4]["createdAt"], "to": listed[1]["createdAt"]}
    found = export(TRANSACTIONS, "application/json", **part).get_json()["data"]
    assert found == [row for row in listed if part["from"] <= row["createdAt"] < part["to"]]
