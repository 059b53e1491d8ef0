"""Every administrative action has its row in the audit, before it is done."""

from typing import Any
from uuid import uuid4

import psycopg2
import pytest

from models.database import fetch_all, session
from trading.upkeep.verify import check_and_note


def actions() -> list[dict[str, Any]]:
    with session():
        return fetch_all("SELECT * FROM admin_action ORDER BY id")


def test_each_action_is_recorded_with_its_sender(client: Any, account: Any, headers_for: Any) -> None:
    admin = headers_for("admin") | {"X-Request-Id": "audit-1", "X-Forwarded-For": "192.0.2.7"}
    trader = account()
    base = f"/api/admin/accounts/{trader.id}"
    client.post("/api/admin/accounts", json={"name": "Asha", "openingBalance": "5.00"}, headers=admin)
    client.patch(base, json={"status": "SUSPENDED"}, headers=admin)
    client.post(f"{base}/funds", json={"kind": "DEPOSIT", "amount": "1.00"}, headers=admin)
    client.post(f"{base}/reset", json={"balance": "7.00"}, headers=admin)
    made = client.post(f"{base}/tokens", json={"scopes": ["read"]}, headers=admin).get_json()
    client.delete(f"/api/admin/tokens/{made['tokenId']}", headers=admin)

    rows = actions()
    assert [row["action"] for row in rows] == [
        "account.create",
        "account.status",
        "account.funds",
        "account.reset",
        "token.create",
        "token.revoke",
    ]
    assert {row["request_id"] for row in rows} == {"audit-1"}
    assert {row["address"] for row in rows} == {"127.0.0.1 for 192.0.2.7"}
    assert None not in {row["token_id"] for row in rows}
    assert rows[2]["detail"] == {"account_id": str(trader.id), "kind": "DEPOSIT", "amount": "1.00"}
    assert made["token"] not in str(rows)


def test_a_refused_action_is_recorded_too(client: Any, headers_for: Any) -> None:
    body = {"kind": "DEPOSIT", "amount": "1.00"}
    answer = client.post(f"/api/admin/accounts/{uuid4()}/funds", json=body, headers=headers_for("admin"))
    assert answer.status_code == 404
    assert [row["action"] for row in actions()] == ["account.funds"]


def test_reads_are_not_recorded(client: Any, account: Any, headers_for: Any) -> None:
    client.get(f"/api/admin/accounts/{account().id}", headers=headers_for("admin"))
    assert actions() == []


@pytest.mark.parametrize("change", ["UPDATE admin_action SET action = 'x'", "DELETE FROM admin_action"])
def test_the_audit_is_append_only(client: Any, headers_for: Any, database_url: str, change: str) -> None:
    client.post("/api/admin/accounts", json={"name": "Asha", "openingBalance": "0.00"}, headers=headers_for("admin"))
    connection = psycopg2.connect(database_url)
    try:
        with connection.cursor() as cursor, pytest.raises(psycopg2.Error, match="append-only"):
            cursor.execute(change)
    finally:
        connection.close()


def test_ready_warns_of_violations_that_the_last_ledger_check_found(client: Any, cleaner: Any) -> None:
    seen = [client.get("/health/ready").get_json().get("warnings")]
    with cleaner.cursor() as cursor:
        for violations in (2, 0):
            cursor.execute("INSERT INTO ledger_check (violations, duration_ms) VALUES (%s, 1)", (violations,))
            seen.append(client.get("/health/ready").get_json().get("warnings"))
    assert (seen[0], seen[2]) == (None, None)
    assert "found 2 violations" in seen[1][0]


def test_a_ledger_check_records_its_outcome(account: Any, cleaner: Any) -> None:
    trader = account()
    assert check_and_note() == 0
    with cleaner.cursor() as cursor:
        cursor.execute("UPDATE account SET balance = balance + 1 WHERE id = %s", (str(trader.id),))
    assert check_and_note() > 0
    with session():
        notes = fetch_all("SELECT violations > 0 AS broken FROM ledger_check ORDER BY id")
    assert [note["broken"] for note in notes] == [False, True]
