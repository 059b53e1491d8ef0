"""Servers with a stream, in this process and in others, and fixtures that cause events."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import psutil
import psycopg2
import pytest
from werkzeug.serving import make_server

from tests.conftest import TestAccount
from tests.realtime.clients import HOST
from tests.realtime.network import Proxy
from tests.support import citus
from tests.support.processes import ProcessStarter, Running, command_environment, free_port
from tests.support.servers import path_to

RENAMES = """
DO $$ BEGIN
    FOR number IN 1..%s LOOP
        UPDATE account SET name = %s || number WHERE id = %s;
    END LOOP;
END $$
"""


class Database:
    """A plain connection, as of psql, whose changes send no nudge."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection = psycopg2.connect(url)
        self._connection.autocommit = True

    def run(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows, if any."""
        with self._connection.cursor() as cursor:
            owner = next((part for part in parameters if isinstance(part, UUID)), None)
            given = tuple(str(part) if isinstance(part, UUID) else part for part in parameters)
            cursor.execute(path_to(owner) + sql, given)
            return cursor.fetchall() if cursor.description else []

    def change(self, account_id: UUID, times: int = 1, text: str = "Changed ") -> None:
        """Change an account a number of times in one transaction; each change is an event."""
        self.run(RENAMES, times, text, account_id)

    def events(self, account_id: UUID) -> list[tuple[int, str]]:
        """Return the numbers and types of an account's events."""
        return self.run("SELECT id, type FROM event WHERE account_id = %s ORDER BY id", account_id)  # type: ignore[return-value]

    def last_event_id(self, account_id: UUID) -> int:
        """Return the number of an account's last event."""
        return int(self.run("SELECT last_event_id FROM account WHERE id = %s", account_id)[0][0])

    def forget_events(self, account_id: UUID, up_to: int) -> None:
        """Age an account's first events past the 7 days, and delete them as retention does."""
        # Citus takes no interval from a column in an UPDATE.
        age = "UPDATE event SET at = now() - interval '8 days' WHERE account_id = %s AND id <= %s"
        citus.without_triggers(self._url, path_to(account_id) + age, str(account_id), up_to)
        self.run("DELETE FROM event WHERE account_id = %s AND at < now() - interval '7 days'", account_id)

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()


@pytest.fixture
def plain_sql(clean: None, database_url: str) -> Iterator[Database]:
    """Return a plain connection to the tables."""
    database = Database(database_url)
    yield database
    database.close()


class Served:
    """A server with a stream, and the number of its listeners."""

    def __init__(self, port: int, count: Callable[[], int]) -> None:
        self.port = port
        self.base_url = f"http://{HOST}:{port}"
        self.count = count

    def wait_for_count(self, count: int, timeout_s: float = 30.0) -> None:
        """Wait until the server has this number of listeners."""
        end = time.monotonic() + timeout_s
        while self.count() != count:
            assert time.monotonic() < end, f"{self.count()} listeners instead of {count}"
            time.sleep(0.02)


@pytest.fixture(scope="session")
def threads_process(
    setting_values: dict[str, str], configured: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """Start a web process with plain threads instead of gevent: nothing in the code may need gevent."""
    port = free_port()
    environment = command_environment(setting_values | {"PORT": str(port)})
    command = "gunicorn --worker-class gthread --threads 100 'api:create_app()'"
    running = Running(command, environment, tmp_path_factory.mktemp("threads") / "log", port)
    yield running.wait_until_ready()
    running.kill()


@pytest.fixture(scope="session")
def server_here(shared_app: Any) -> Iterator[Any]:
    """Serve the application from this process, where a test can change constants."""
    server = make_server(HOST, 0, shared_app, threaded=True)
    server.daemon_threads = True  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()


@pytest.fixture(params=["threads", "gevent"])
def served(request: pytest.FixtureRequest, clean: None) -> Served:
    """Return both kinds of servers, one after the other, with a way to count their listeners."""
    running = request.getfixturevalue("usual_web" if request.param == "gevent" else "threads_process")
    # The server notices only after 20 s that a reader of server-sent events of an earlier test has left.
    before = open_connections(running)
    return Served(running.port, lambda: len(open_connections(running) - before))


def open_connections(web: Running) -> set[int]:
    """Return the ports of the clients whose sockets the processes of a web server hold."""
    connections = [link for child in web.children() for link in child.net_connections("tcp")]
    return {
        link.raddr.port
        for link in connections
        if link.laddr.port == web.port and link.status not in (psutil.CONN_LISTEN, psutil.CONN_TIME_WAIT)
    }


@pytest.fixture
def start_on_port(start: ProcessStarter) -> Callable[..., Running]:
    """Return a function that starts a web process on a port that the test chooses."""

    def begin(port: int, **settings: str) -> Running:
        return start._start("web", {"PORT": str(port), **settings}, port=port).wait_until_ready()

    return begin


@pytest.fixture
def port() -> int:
    """Return a free port."""
    return free_port()


@pytest.fixture
def proxy(servers: Any) -> Iterator[Proxy]:
    """Return a proxy in front of the run's Valkey."""
    proxy = Proxy(servers.redis_url)
    yield proxy
    proxy.close()


@pytest.fixture
def deposit(configured: None) -> Callable[..., None]:
    """Return a function that deposits money, which makes one event each time, with its nudge."""
    from decimal import Decimal

    from trading.accounts import administration

    def make(account: TestAccount, times: int = 1) -> None:
        for _ in range(times):
            administration.move_funds(account.id, "DEPOSIT", Decimal("1.00"))

    return make
