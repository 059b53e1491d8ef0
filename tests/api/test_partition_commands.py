"""The commands that store orders by month: they tell what they made, refuse in one line, and a backup keeps it all."""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from actors import maintenance
from models.partitions import Month
from tests.api.test_backup_commands import place, run
from tests.support.trading import one
from tests.support.trading import run as execute_sql
from trading.accounts.administration import create_account

__all__ = ["run"]

LATER = """
CREATE OR REPLACE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql RETURN clock_timestamp() + interval '90 days'
"""


def test_a_database_by_month_is_backed_up_restored_and_detached(run: Callable[..., Any], tmp_path: Any) -> None:
    refused = run("db", "detach")
    assert (refused.exit_code, "not split" in refused.output) == (1, True)
    account_id = create_account("Asha", Decimal("100000.00"))["id"]
    place(account_id)
    made = json.loads(run("db", "partition", "--json").output)["monthsMade"]
    months = [Month.of(date.fromisoformat(f"{month}-01")) for month in made]
    assert months[1:] == [month.following for month in months[:-1]]
    assert run("db", "partition").output == "monthsMade: none\n"
    assert run("db", "partition", "--first", "2026-13").exit_code == 2
    again = run("db", "partition", "--first", made[0])
    assert (again.exit_code, "already" in again.output) == (1, True)
    refused = run("db", "detach")
    assert (refused.exit_code, "all before the first, ended less than 31 days ago" in refused.output) == (1, True)

    file = tmp_path / "tradepost.dump"
    assert run("db", "backup", file).exit_code == 0
    place(account_id)
    done = run("db", "restore", file, "--replace", "--json")
    assert (done.exit_code, json.loads(done.output)["violations"]) == (0, 0), done.output
    assert one("SELECT count(*) FROM trading_order") == 1
    assert one("SELECT count(*) FROM pg_inherits WHERE inhparent = 'trading_order'::regclass") == len(made) + 2

    execute_sql(LATER)
    assert run("db", "prune").exit_code == 0
    assert run("db", "partition").output == "monthsMade: none\n"
    live = run("db", "detach")
    assert (live.exit_code, "1 of its orders are PENDING or OPEN" in live.output) == (1, True)
    without_live = one("SELECT count(*) FROM gathered_month")
    assert run("orders", "cancel", "--all-of", account_id).exit_code == 0
    for gather in (lambda: run("db", "prune"), maintenance._delete):  # workers do the same
        execute_sql("DELETE FROM gathered_month")
        gather()
        assert one("SELECT count(*) FROM gathered_month") == without_live + 1
    detached = json.loads(run("db", "detach", "--json").output)
    assert (detached["month"], detached["tables"]) == (None, ["trading_order_before", "fund_transaction_before"])
    assert run("ledger", "verify").exit_code == 0
