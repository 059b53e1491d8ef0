"""Releases: migrations run one at a time, give way to traffic, and leave the previous release working."""

import contextlib
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest

from embedded.postgres import create_database
from models import database, migrate
from tests.acceptance.conftest import Trader
from tests.deploy.test_dynos import PROCFILE
from tests.support.processes import ROOT, ProcessStarter, Running, command_environment, free_port, wait_until
from tests.support.servers import Servers, point_models_at

# The code before it is the previous release. Raise it at each release.
FIRST_UNRELEASED = "0010"
MIGRATION = '''
from models.database import execute


def up(migrator, db):
    """Apply."""
    execute("ALTER TABLE account ADD COLUMN note text")
'''


@pytest.fixture
def empty_database(servers: Servers, migrated: None, database_url: str) -> Iterator[str]:
    """Return the URL of a database without tables."""
    name = f"{urlsplit(database_url).path.strip('/')}_release"
    create_database(servers.database_url, name)
    yield urlsplit(database_url)._replace(path=f"/{name}").geturl().replace(":///", "://", 1)
    with contextlib.closing(psycopg2.connect(servers.database_url)) as connection:
        connection.autocommit = True
        connection.cursor().execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def models_at(empty_database: str, database_url: str) -> Iterator[str]:
    """Point this process's models at the empty database, and back."""
    database.initialise(empty_database, pool_size=4)
    yield empty_database
    point_models_at(database_url)


def test_two_release_phases_at_once_apply_every_migration_once(
    empty_database: str, setting_values: dict[str, str]
) -> None:
    environment = command_environment(setting_values | {"DATABASE_URL": empty_database})
    options: dict[str, Any] = {"shell": True, "cwd": ROOT, "env": environment, "text": True}
    phases = [subprocess.Popen(PROCFILE["release"], stdout=subprocess.PIPE, **options) for _ in range(2)]
    applied = "".join(phase.communicate(timeout=60)[0] for phase in phases)
    assert [phase.returncode for phase in phases] == [0, 0]
    names = [path.stem for path in sorted(migrate.DIRECTORY.glob("[0-9]*.py"))]
    assert sorted(applied.split()) == sorted(["applied"] * len(names) + names)


TWO_TABLES = '''
from models.database import execute


def up(migrator, db):
    """Apply."""
    execute("LOCK TABLE account, fund_transaction IN ACCESS EXCLUSIVE MODE")
'''


@pytest.fixture
def one_more_migration(models_at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have one migration to apply, to a table in use; its tries are short, as the tests are."""
    migrate.upgrade()
    folder = shutil.copytree(migrate.DIRECTORY, tmp_path / "migrations")
    (folder / "9999_note.py").write_text(MIGRATION)
    monkeypatch.setattr(migrate, "DIRECTORY", folder)
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_MS", 300)
    monkeypatch.setattr(migrate, "LOCK_PAUSE_S", 0.3)
    return "9999_note"


@pytest.fixture
def connections(models_at: str) -> Iterator[tuple[Any, Any]]:
    """Return one connection with a transaction on accounts that stays open, as a report's, and another."""
    with (
        contextlib.closing(psycopg2.connect(models_at)) as report,
        contextlib.closing(psycopg2.connect(models_at)) as other,
    ):
        other.autocommit = True
        yield report, other


def test_a_migration_that_waits_for_a_table_lets_the_traffic_through(
    one_more_migration: str, connections: tuple[Any, Any]
) -> None:
    report, web = connections
    _first(report, "SELECT count(*) FROM account")
    applied: list[str] = []
    release = threading.Thread(target=lambda: applied.extend(migrate.upgrade()))
    release.start()
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'account'::regclass AND NOT granted"
    wait_until(lambda: _first(web, waiting), what="the migration waits for the table")
    _first(web, "SET lock_timeout = '3s'; SELECT count(*) FROM account")  # queues behind it, and gets through
    assert release.is_alive()
    assert applied == []
    report.rollback()
    release.join(10)
    assert applied == [one_more_migration]


def test_a_release_that_gets_no_lock_fails_whole_and_can_be_repeated(
    one_more_migration: str, connections: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    report, _ = connections
    monkeypatch.setattr(migrate, "LOCK_ATTEMPTS", 2)
    _first(report, "SELECT count(*) FROM account")
    with pytest.raises(database.DatabaseUnavailable, match="lock timeout"):
        migrate.upgrade()
    assert dict(migrate.status())[one_more_migration] is None
    report.rollback()
    assert migrate.upgrade() == [one_more_migration]


def test_a_migration_that_is_the_victim_of_a_deadlock_tries_again(
    one_more_migration: str, connections: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    report, other = connections
    (migrate.DIRECTORY / f"{one_more_migration}.py").write_text(TWO_TABLES)
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT_MS", 5_000)  # above the server's deadlock_timeout
    _first(report, "SELECT count(*) FROM fund_transaction")
    applied: list[str] = []
    release = threading.Thread(target=lambda: applied.extend(migrate.upgrade()))
    release.start()
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'fund_transaction'::regclass AND NOT granted"
    wait_until(lambda: _first(other, waiting), what="the migration has the accounts and waits for the ledger")
    _first(report, "SELECT count(*) FROM account")  # each waits for the other
    report.rollback()
    release.join(10)
    assert applied == [one_more_migration]


def _first(connection: Any, sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def git(*arguments: str) -> bytes:
    """Run git here; skip the test when there is no history that could answer."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True)
    if done.returncode != 0:
        pytest.skip(f"no history of the previous release here: {done.stderr.decode().strip()[:200]}")
    return done.stdout


@pytest.fixture(scope="session")
def previous_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay out the last code that did not know the first migration of the coming release."""
    first = next(migrate.DIRECTORY.glob(f"{FIRST_UNRELEASED}_*.py")).relative_to(ROOT)
    added = git("log", "--diff-filter=A", "--format=%H", "-1", "--", str(first)).decode().strip()
    commit = f"{added}^" if added else "HEAD"
    git("cat-file", "-e", f"{commit}:models/migrations")
    folder = tmp_path_factory.mktemp("previous")
    with tarfile.open(fileobj=BytesIO(git("archive", "--format=tar", commit))) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def start_previous(previous_release: Path, start: ProcessStarter) -> Callable[..., Running]:
    """Return a starter of the previous release's processes."""
    commands = dict(re.findall(r"^(\w+): (.*)$", (previous_release / "Procfile").read_text(), re.MULTILINE))

    def make(name: str) -> Running:
        port = free_port()
        command = 'sh -c \'cd "$TREE" && eval "exec $COMMAND"\''
        environment = {**start.environment, "PORT": str(port), "TREE": str(previous_release), "COMMAND": commands[name]}
        running = Running(command, environment, start.folder / f"previous-{name}.log", port)
        start.started.append(running)
        return running

    return make


def test_the_previous_release_works_on_the_newest_schema(
    start_previous: Callable[..., Running], account: Callable[..., Any], process_environment: dict[str, str]
) -> None:
    trader = Trader(start_previous("web").wait_until_ready(), account().token)
    assert trader.http.get(f"{trader.base_url}/health/ready", timeout=10).json()["migrations"] == "ok"
    trader.http.headers["Idempotency-Key"] = "once"
    orders = [trader.place().json() for _ in range(2)]
    assert orders[0] == orders[1]
    del trader.http.headers["Idempotency-Key"]
    cancelled = trader.place(quantity=1).json()["orderId"]
    assert trader.http.delete(f"{trader.base_url}/api/trading/orders/{cancelled}", timeout=10).status_code == 200

    start_previous("worker")
    trader.wait_for(orders[0]["orderId"])
    (position,) = trader.read("positions")["data"]
    closing = trader.http.post(f"{trader.base_url}/api/trading/positions/{position['positionId']}/close", timeout=10)
    assert closing.status_code == 422  # there is no price, which it finds out from the newest schema
    trader.wait_for(trader.place(side="SELL").json()["orderId"])
    assert [row["status"] for row in trader.read("orders")["data"]] == ["EXECUTED", "CANCELLED", "EXECUTED"]
    assert trader.read("account")["blockedMargin"] == "0.00"
    assert len(trader.read("transactions")["data"]) > 6
    assert trader.read("events?since=0")["data"][-1]["type"] == "order.executed"
    verify = [*PROCFILE["release"].split()[:3], "ledger", "verify"]
    assert subprocess.run(verify, cwd=ROOT, env=process_environment, capture_output=True).returncode == 0
