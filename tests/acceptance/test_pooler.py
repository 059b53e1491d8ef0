"""The same service behind PgBouncer, which gives each transaction whichever server connection is free."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
import psycopg2
import pytest

from tests.acceptance.conftest import Trader
from tests.support.processes import ROOT, ProcessStarter, free_port, wait_until
from tests.support.servers import Servers
from trading.upkeep.verify import verify

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
POOL_SIZE = 4
CONFIGURATION = """
[databases]
tradepost = host={host} port={port} dbname={name} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
server_round_robin = 1
ignore_startup_parameters = options
"""
# The settings that a process requests at connect, which a pooler cannot pass on (docs/scaling.md).
LIMITS = {"statement_timeout": "5s", "lock_timeout": "3s", "idle_in_transaction_session_timeout": "10s"}

pytestmark = [
    pytest.mark.skipif(PGBOUNCER is None, reason="there is no pgbouncer"),
    pytest.mark.one_bucket("a pooler in transaction mode loses the path of a bucket's connections"),
]


@pytest.fixture
def readable_folder() -> Iterator[Path]:
    """Return a folder that another user may read, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture
def pooled_url(
    servers: Servers, database_url: str, cleaner: Any, tmp_path: Path, readable_folder: Path
) -> Iterator[str]:
    """Start a pooler in front of the run's database, with the limits kept in the database; return its URL."""
    parts, query = urlsplit(database_url), parse_qs(urlsplit(database_url).query)
    name, port = parts.path.removeprefix("/"), free_port()
    values = {"host": query["host"][0], "port": query["port"][0], "name": name}
    configuration = readable_folder / "pgbouncer.ini"
    configuration.write_text(CONFIGURATION.format(listen_port=port, pool_size=POOL_SIZE, **values))
    log_path = tmp_path / "pgbouncer.log"
    with cleaner.cursor() as cursor:
        for setting, value in LIMITS.items():
            cursor.execute(f'ALTER DATABASE "{name}" SET {setting} = %s', (value,))
    with open(log_path, "wb") as log:
        process = subprocess.Popen([*_as_owner_of(servers), PGBOUNCER, configuration], stdout=log, stderr=log)
    url = f"postgresql://postgres@127.0.0.1:{port}/tradepost"
    try:
        wait_until(lambda: answers(url), what=f"a pooler that answers: see {log_path}")
        yield url
    finally:
        process.terminate()
        process.wait(10)
        with cleaner.cursor() as cursor:
            for setting in LIMITS:
                cursor.execute(f'ALTER DATABASE "{name}" RESET {setting}')


def _as_owner_of(servers: Servers) -> list[str]:
    """Return the prefix of a command that runs as the server's user: a pooler refuses to be root."""
    if os.geteuid() != 0 or servers.postgres is None:
        return []
    return ["runuser", "-u", psutil.Process(servers.postgres.pid).username(), "--"]


def answers(url: str) -> bool:
    """Return True if a database can be reached."""
    try:
        psycopg2.connect(url).close()
    except psycopg2.OperationalError:
        return False
    return True


def place_and_cancel(trader: Trader, number: int) -> int:
    """Place a few orders, try to cancel one, and return how many were accepted."""
    answers = [trader.place(symbol=f"S{number}", quantity=quantity) for quantity in range(1, 7)]
    assert [answer.status_code for answer in answers] == [202] * 6
    path = f"{trader.base_url}/api/trading/orders/{answers[-1].json()['orderId']}"
    assert trader.http.delete(path, timeout=10).status_code in (200, 409)
    return len(answers)


def test_every_order_ends_once_behind_a_pool_of_few_connections(
    start: ProcessStarter, trader_of: Callable[..., Trader], pooled_url: str, cleaner: Any
) -> None:
    web = start.web(DATABASE_URL=pooled_url)
    for _ in range(2):
        start.worker(DATABASE_URL=pooled_url, ORDER_WORKER_INTERVAL_MS="100")
    traders = [trader_of(web) for _ in range(8)]
    with ThreadPoolExecutor(len(traders)) as pool:
        accepted = sum(pool.map(place_and_cancel, traders, range(len(traders))))
    with cleaner.cursor() as cursor:

        def count(query: str) -> int:
            cursor.execute(query)
            return int(cursor.fetchone()[0])

        wait_until(lambda: count("SELECT count(*) FROM trading_order WHERE status = 'PENDING'") == 0)
        assert count("SELECT count(*) FROM trading_order") == accepted == 48
    assert verify() == []


def test_the_ledger_check_leaves_nothing_set_on_a_shared_connection(
    start: ProcessStarter, trader_of: Callable[..., Trader], pooled_url: str
) -> None:
    trader = trader_of(start.web(DATABASE_URL=pooled_url))
    with ThreadPoolExecutor(POOL_SIZE) as pool:  # so that the pooler has several connections, which take turns
        assert {answer.status_code for answer in pool.map(lambda _: trader.place(), range(20))} == {202}
    environment = start.environment | {"DATABASE_URL": pooled_url}
    command = ["flask", "--app", "api", "ledger", "verify"]
    checked = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    held = [psycopg2.connect(pooled_url) for _ in range(POOL_SIZE)]
    for connection in held:  # each in a transaction: all of the pool's connections, one after the other
        with connection.cursor() as cursor:
            for setting, value in LIMITS.items():
                cursor.execute(f"SHOW {setting}")
                assert (setting, cursor.fetchone()[0]) == (setting, value)
    for connection in held:
        connection.close()
