"""Start real servers once per run, and give every test that uses them an empty database."""

import contextlib
import functools
import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import hypothesis
import psycopg2
import pytest
import redis
import structlog

import config
from embedded.postgres import Postgres, create_database
from embedded.valkey import Valkey
from tests.support import citus, joined, refusals
from tests.support.processes import ROOT, ProcessStarter, Running, command_environment
from tests.support.servers import (
    FORGETFUL,
    REDIS_PATIENCE_S,
    Servers,
    administer,
    emptying,
    numbered,
    path_option,
    path_to,
    patient,
    point_models_at,
)

pytest_plugins = ["tests.support.scheduling"]

CRON_SECRET = "a-cron-key-of-the-tests-4f1c"
METRICS_TOKEN = "a-metrics-key-of-the-tests-8b2e"
ALLOWED_ORIGIN = "https://desk.example.com"


@dataclass(frozen=True)
class TestAccount:
    """Hold an account that a test made, with a token for it."""

    __test__ = False

    id: UUID
    token: str
    row: dict[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of a request in the name of this account."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(frozen=True)
class OwnCommands:
    """The environment and the command line of a test's own servers, and an account made there."""

    environment: dict[str, str]
    flask: Callable[..., str]
    account: TestAccount


# The commands of `flask` would load the whole application, twice.
MIGRATION_WITH_ACCOUNT = """
import os, sys
from decimal import Decimal
from models import database, migrate
from trading.accounts import administration, tokens
database.initialise(sys.argv[1], pool_size=1, shards=int(os.environ.get("SHARDS") or 1))
migrate.upgrade()
account_id = administration.create_account("A", Decimal("1000000.00"))["id"]
print(account_id, tokens.create_token(["trade", "read"], account_id=account_id)[1])
"""
FOLDER = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Let commands under test be stopped with Ctrl-C, though a shell began this run in the background.

    No proxy is asked, since all that the tests request is on this machine. The run has a folder of its own, because
    pytest's common one is closed to the database's user whenever another run begins.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="tradepost-tests-")
        config.stash[FOLDER] = Path(config.option.basetemp)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[Any]:
    """Collect tests without collecting garbage, and leave all that is loaded then out of later collections."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remove the folder of a run that succeeded; that of a failed one stays, with its logs."""
    if exitstatus == pytest.ExitCode.OK and (folder := session.config.stash.get(FOLDER, None)):
        shutil.rmtree(folder, ignore_errors=True)


# Based on the profile that Hypothesis has chosen by itself, which in CI is one without chance.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what cannot run with several buckets of accounts, if this run has them."""
    if os.environ.get("SHARDS", "1") == "1":
        return
    for item in items:
        if mark := item.get_closest_marker("one_bucket"):
            item.add_marker(pytest.mark.skip(reason=f"SHARDS: {mark.args[0]}"))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Start PostgreSQL and Valkey in a temporary folder, unless the environment names others.

    Each parallel process has servers of its own, and in a Redis that the environment names a database of its own.
    """
    folder = tmp_path_factory.mktemp("servers")
    database_url, redis_url = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
    postgres = None if database_url else Postgres(folder / "postgres", durable=False, settings=FORGETFUL)
    valkey = None if redis_url else Valkey(folder / "valkey", durable=False)
    with contextlib.ExitStack() as stack:
        if postgres is not None:
            stack.callback(postgres.delete)
            stack.callback(postgres.stop)
            postgres.start()
            database_url = postgres.url()
        if valkey is not None:
            stack.callback(valkey.delete)
            stack.callback(valkey.stop)
            valkey.start()
            redis_url = valkey.url
        else:
            redis_url = numbered(redis_url or "")
        yield Servers(database_url or "", redis_url, postgres, valkey)
        structlog.configure(processors=[_drop])  # threads that still need the servers would log among the results


@pytest.fixture(scope="session")
def database_url(servers: Servers) -> Iterator[str]:
    """Create a database for this run, and drop it afterwards."""
    name = f"tradepost_test_{os.getpid()}"
    if citus.IS_USED:
        with citus.database(name) as url:
            yield url
        return
    create_database(servers.database_url, name)
    yield urlsplit(servers.database_url)._replace(path=f"/{name}").geturl().replace(":///", "://", 1)
    administer(servers.database_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def setting_values(servers: Servers, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment variables that all of this run's processes share."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": patient(servers.redis_url),
        "CRON_SECRET": CRON_SECRET,
        "DATA_DIR": str(tmp_path_factory.mktemp("data")),
        "METRICS_DIR": str(tmp_path_factory.mktemp("metrics")),
        "METRICS_TOKEN": METRICS_TOKEN,
        "RATE_LIMIT_ORDERS": "off",
        "WEB_CONCURRENCY": "1",
        "TRADEPOST_ENV": "test",
        "SHARDS": os.environ.get("SHARDS", ""),
    }


@pytest.fixture(scope="session")
def settings(setting_values: dict[str, str]) -> config.Settings:
    """Return the settings of the processes under test."""
    return config.load(setting_values)


@pytest.fixture(scope="session")
def migrated(settings: config.Settings) -> Iterator[None]:
    """Bring the run's database up to date, and point the models of this process at it."""
    from models import database, migrate, partitions

    point_models_at(config.require_database_url(settings))
    migrate.upgrade()
    if citus.IS_USED:
        citus.distribute(config.require_database_url(settings))
    if settings.shards > 1:
        joined.read_all_buckets()
    if "PARTITIONS" in os.environ:  # PARTITIONS=1 make test TESTS=tests/trading: with orders and entries by month
        partitions.split(partitions.Month.of(datetime.now(UTC).date()))
    yield
    database.db.dispose()


@pytest.fixture
def other_database(
    servers: Servers, migrated: None, database_url: str, settings: config.Settings
) -> Iterator[Callable[..., Callable[[str], None]]]:
    """Return a function that makes a database, of which the models are for this test; other_database("ENCODING …").

    It returns one that runs a statement there as its owner, while the models may be another `role` without rights.
    """
    from models import database

    name = f"{urlsplit(database_url).path.strip('/')}_other"
    url = urlsplit(database_url)._replace(path=f"/{name}").geturl().replace(":///", "://", 1)
    roles: list[str] = []

    def make(options: str = "", *, role: str | None = None) -> Callable[[str], None]:
        administer(servers.database_url, f'CREATE DATABASE "{name}" {options}')
        as_role = url
        if role is not None:
            roles.append(role)
            administer(servers.database_url, f"CREATE ROLE {role} LOGIN PASSWORD '{role}'")
            parts = urlsplit(url)
            as_role = parts._replace(netloc=f"{role}:{role}@{parts.netloc.rpartition('@')[2]}").geturl()
        database.initialise(as_role, pool_size=4)
        return functools.partial(administer, url)

    yield make
    point_models_at(database_url)
    administer(servers.database_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    for role in roles:
        administer(servers.database_url, f"DROP ROLE {role}")


@pytest.fixture(scope="session")
def configured(settings: config.Settings, migrated: None) -> None:
    """Point this process at the run's broker, as a web process does."""
    from actors import broker
    from runtime import redis_link

    redis_link.SLOW_S = REDIS_PATIENCE_S
    broker.configure(settings, role="web")


@pytest.fixture(scope="session")
def redis_client(servers: Servers) -> Iterator[redis.Redis]:
    """Return a client of the run's Redis that is not the application's own."""
    with redis.Redis.from_url(servers.redis_url, socket_timeout=5) as client:
        yield client


@pytest.fixture(scope="session")
def cleaner(migrated: None, database_url: str) -> Iterator[Any]:
    """Keep one connection that empties the tables although triggers refuse it."""
    connection = psycopg2.connect(database_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '4s'; SET joined.role = replica")
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def empty_all(migrated: None, cleaner: Any, database_url: str, redis_client: redis.Redis) -> Callable[[], None]:
    """Return a function that empties the database and Redis."""
    from models import buckets
    from runtime import redis_link
    from trading.market import calendars

    def make() -> None:
        if citus.IS_USED:
            citus.without_triggers(database_url, emptying())
        else:
            with cleaner.cursor() as cursor:
                cursor.execute(f"{path_to(None)} SET session_replication_role = replica; {emptying()}")
                # A test that is in no bucket writes views, by a trigger (tests.support.joined).
                if buckets.are_several() and buckets.current() is None:
                    cursor.execute("SET session_replication_role = origin")
        redis_client.flushdb()
        calendars._remembered.clear()
        redis_link._end_pause()

    return make


@pytest.fixture
def clean(empty_all: Callable[[], None]) -> None:
    """Empty the database and Redis; every fixture that uses them begins with this."""
    empty_all()


@pytest.fixture
def database(clean: None) -> Iterator[ModuleType]:
    """Return models.database with a connection open for the test."""
    from models import database

    with database.session():
        yield database


@pytest.fixture(scope="session")
def shared_app(settings: config.Settings, configured: None) -> Any:
    """Make the Flask application once: it keeps nothing between requests but caches."""
    from api import create_app

    app = create_app(settings)
    app.testing = True
    refusals.check_refusals(app)
    return app


@pytest.fixture
def app(clean: None, shared_app: Any) -> Any:
    """Return the Flask application on an empty database."""
    return shared_app


@pytest.fixture
def client(app: Any) -> Any:
    """Return a Flask test client."""
    return app.test_client()


@pytest.fixture
def account(clean: None) -> Callable[..., TestAccount]:
    """Return a function that opens an account with a token: account("5000.00", scopes=["read"])."""
    from trading.accounts import administration, tokens

    def make(
        balance: str = "1000000.00",
        *,
        name: str = "Test",
        scopes: tuple[str, ...] = ("trade", "read"),
        fill_model: str = "IMMEDIATE",
    ) -> TestAccount:
        row = administration.create_account(name, Decimal(balance), fill_model=fill_model)
        _, secret = tokens.create_token(list(scopes), account_id=row["id"])
        return TestAccount(id=row["id"], token=secret, row=row)

    return make


@pytest.fixture
def headers_for(clean: None) -> Callable[..., dict[str, str]]:
    """Return a function that makes a token of no account: headers_for("admin", "feed")."""
    from trading.accounts import tokens

    def make(*scopes: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {tokens.create_token(list(scopes))[1]}"}

    return make


@pytest.fixture
def quote(clean: None) -> Callable[..., None]:
    """Return a function that sets a last price: quote("RELIANCE", "2500.00", exchange="NSE")."""
    from trading.matching import feed

    def make(symbol: str = "RELIANCE", last_price: str = "2500.00", *, exchange: str = "NSE") -> None:
        feed.set_quotes([(exchange, symbol, Decimal(last_price))])

    return make


@pytest.fixture
def take_back(clean: None, database_url: str) -> Callable[[UUID, int], None]:
    """Return a function that takes back all events of an account after one, as a failover that lost them does."""

    def make(account_id: UUID, last: int) -> None:
        events = "DELETE FROM event WHERE account_id = %s AND id > %s"
        number = "UPDATE account SET last_event_id = %s WHERE id = %s"
        given = (str(account_id), last, last, str(account_id))
        citus.without_triggers(database_url, f"{path_to(account_id)} {events}; {number}", *given)

    return make


@pytest.fixture
def place(client: Any) -> Callable[..., Any]:
    """Return a function that places an order over HTTP: place(account, side="SELL", quantity=5) -> response."""

    def make(account: TestAccount, *, headers: dict[str, str] | None = None, **body: Any) -> Any:
        order = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 10, "orderType": "LIMIT"}
        order |= {"price": "100.00"} if body.get("orderType", "LIMIT") == "LIMIT" else {}
        return client.post("/api/trading/orders", json=order | body, headers=account.headers | (headers or {}))

    return make


@pytest.fixture
def process_environment(clean: None, setting_values: dict[str, str]) -> dict[str, str]:
    """Return the environment for commands run as processes of their own."""
    return command_environment(setting_values)


@pytest.fixture
def start(process_environment: dict[str, str], tmp_path: Path) -> Iterator[ProcessStarter]:
    """Return a starter of the Procfile's processes: start.web(), start.worker(WORKER_THREADS="1")."""
    starter = ProcessStarter(process_environment, tmp_path)
    yield starter
    starter.stop()


@pytest.fixture(scope="session")
def usual_web(
    setting_values: dict[str, str], configured: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Start the Procfile's web process once, for all tests that neither stop it nor need settings of their own."""
    environment = command_environment(setting_values | {"ALLOWED_ORIGINS": ALLOWED_ORIGIN})
    starter = ProcessStarter(environment, tmp_path_factory.mktemp("web"))
    yield starter.web()
    starter.stop()


@pytest.fixture
def web(usual_web: Running, clean: None) -> Running:
    """Return that web process on an empty database."""
    return usual_web


@pytest.fixture
def own_servers(tmp_path: Path) -> Iterator[Servers]:
    """Start servers that belong to this test alone, to be stopped, killed and started at will."""
    postgres = Postgres(tmp_path / "postgres", durable=False, settings=FORGETFUL)
    valkey = Valkey(tmp_path / "valkey", durable=False)
    try:
        postgres.start()
        valkey.start()
        yield Servers(postgres.url(), valkey.url, postgres, valkey)
    finally:
        valkey.stop()
        postgres.stop()
        postgres.delete()


@pytest.fixture
def connect(clean: None, database_url: str) -> Iterator[Callable[[], Any]]:
    """Return a function that opens a connection of its own, in a transaction from its first statement on."""
    opened = []

    def make() -> Any:
        opened.append(psycopg2.connect(database_url, options=path_option()))
        return opened[-1]

    yield make
    for connection in opened:
        connection.close()


@pytest.fixture
def own_commands(own_servers: Servers, setting_values: dict[str, str]) -> OwnCommands:
    """Prepare the servers of this test alone for web and worker: migrated, with one account."""
    urls = {"DATABASE_URL": own_servers.database_url, "REDIS_URL": own_servers.redis_url}
    environment = command_environment(setting_values | urls)

    def flask(*arguments: str) -> str:
        command = ["flask", "--app", "api", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout

    command = [sys.executable, "-c", MIGRATION_WITH_ACCOUNT, own_servers.database_url]
    made = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout.split()
    return OwnCommands(environment, flask, TestAccount(UUID(made[0]), made[1], {}))


def _drop(*_: object) -> Any:
    raise structlog.DropEvent
