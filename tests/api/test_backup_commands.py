"""Backup and restore: a file holds the whole database, and its listeners are told that events are lost."""

import dataclasses
import json
import os
import re
import subprocess
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from psycopg2.extensions import parse_dsn

from models import database, migrate
from models.dumps import _places
from tests.support.processes import ROOT
from tests.support.trading import one
from trading.accounts.administration import create_account
from trading.events.reading import page_since
from trading.orders.placement import place_order
from trading.rules.decision import OrderRequest

ORDER = OrderRequest("NSE", "RELIANCE", "BUY", 1, "LIMIT", Decimal("100.00"))


@pytest.fixture
def run(app: Any, other_database: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that runs a command against a database of its own, which is migrated: run("db", "status")."""
    other_database("ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0")
    settings = dataclasses.replace(app.config["SETTINGS"], database_url=database.db.database)
    monkeypatch.setitem(app.config, "SETTINGS", settings)
    migrate.upgrade()
    return lambda *args: app.test_cli_runner().invoke(args=[str(arg) for arg in args])


def place(account_id: UUID) -> None:
    """Place an order, which makes an event."""
    place_order(account_id, ORDER, calendar=None)


def test_a_restored_backup_has_everything_but_what_came_later_and_resets_the_listeners_of_that(
    run: Callable[..., Any], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id = create_account("Asha", Decimal("100000.00"))["id"]
    place(account_id)
    kept = page_since(account_id).newest.id
    file = tmp_path / "tradepost.dump"
    done = run("db", "backup", file, "--json")
    assert done.exit_code == 0, done
    assert json.loads(done.output)["bytes"] == file.stat().st_size
    assert oct(file.stat().st_mode)[-3:] == "600"
    place(account_id)
    lost = page_since(account_id).newest.id
    assert lost > kept

    refused = run("db", "restore", file)
    assert (refused.exit_code, "has tables" in refused.output) == (1, True)
    with monkeypatch.context() as at_terminal:
        at_terminal.setattr("api.commands.backup_commands.is_typed", lambda: True)
        assert run("db", "restore", file, "--replace").exit_code != 0  # nobody answers
    assert one("SELECT count(*) FROM trading_order") == 2
    done = run("db", "restore", file, "--replace", "--json")
    assert done.exit_code == 0, done.output
    result = json.loads(done.output)
    assert parse_dsn(database.db.database)["dbname"] in result.pop("database")
    assert result == {"migrationsApplied": 0, "accountsToReset": 1, "violations": 0}
    assert one("SELECT count(*) FROM trading_order") == 1
    place(account_id)
    assert page_since(account_id).newest.id == lost  # the same numbers again
    assert page_since(account_id, kept).keeps(kept)
    assert not page_since(account_id, lost).keeps(lost)
    assert not page_since(account_id, kept + 1).keeps(kept + 1)


def test_an_empty_database_gets_a_backup_and_what_cannot_be_read_changes_nothing(
    run: Callable[..., Any], tmp_path: Any
) -> None:
    account_id, file = create_account("Asha", Decimal("100000.00"))["id"], tmp_path / "tradepost.dump"
    assert run("db", "backup", file).exit_code == 0
    broken = tmp_path / "broken.dump"
    broken.write_bytes(file.read_bytes()[:-100])
    for path, reason in ((broken, "pg_restore"), (tmp_path / "none.dump", "there is no such file")):
        refused = run("db", "restore", path, "--replace")
        assert (refused.exit_code, reason in refused.output) == (1, True), refused.output
        assert page_since(account_id).newest.id > 0
    assert run("db", "backup", tmp_path / "no" / "folder.dump").output.startswith("tradepost: ")
    with database.session():
        database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    done = run("db", "restore", file, "--lost-events", "50", "--json")
    assert done.exit_code == 0, done.output
    newest = page_since(account_id).newest.id
    assert [page_since(account_id, number).is_lost for number in (newest, newest + 1, newest + 50)] == [
        False,
        True,
        True,
    ]
    done = run("db", "restored", "--lost-events", "60")
    assert (done.exit_code, page_since(account_id, newest + 60).is_lost) == (0, True), done.output


def test_the_restore_of_the_compose_page_drops_the_database_only_once_the_file_is_read(
    run: Callable[..., Any], tmp_path: Any
) -> None:
    account_id, file = create_account("Asha", Decimal("100000.00"))["id"], tmp_path / "tradepost.dump"
    assert run("db", "backup", file).exit_code == 0
    place(account_id)
    page = (ROOT / "docs/deploy/docker.md").read_text()
    found = re.search(r"run --rm backup sh -ec '(.*?)'\n", page, re.DOTALL)
    assert found
    dsn = parse_dsn(database.db.database)
    name = dsn["dbname"]
    script = re.sub(r"\btradepost\b", name, re.sub(r"\brestored\b", f"{name}_restored", found[1]))
    environment = {"PGHOST": dsn["host"], "PGPORT": dsn.get("port", "5432"), "PGUSER": dsn["user"]}
    environment["PATH"] = os.pathsep.join([str(list(_places("pg_restore"))[-1].parent), os.environ["PATH"]])

    def follow(path: Any) -> int:
        words = ["sh", "-ec", script.replace("/backups/FILE.dump", str(path))]
        return subprocess.run(words, env=os.environ | environment, capture_output=True).returncode

    assert follow(tmp_path / "misspelt.dump") != 0
    assert one("SELECT count(*) FROM trading_order") == 1
    subprocess.run(["dropdb", f"{name}_restored"], env=os.environ | environment, check=True)
    assert follow(file) == 0
    database.db.pool.renew()
    assert one("SELECT count(*) FROM trading_order") == 0
