"""The whole of Tradepost on this machine: its servers, a proxy before each, and the Procfile's processes."""

import contextlib
import hashlib
import signal
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
import psycopg2
import psycopg2.extras
import redis

from actors.orders import execute_order
from embedded.postgres import SOCKET_PORT
from models import buckets
from tests.faults.machine import TEMPLATE, Machine, administer, signal_postgres
from tests.faults.proxy import Proxy, tcp_target, unix_target
from tests.support import joined
from tests.support.processes import ProcessStarter, Running, command_environment, free_port, wait_until
from tests.support.servers import emptying, path_to

HOOKS = Path(__file__).parent / "hooks"
CRON_SECRET = "a-cron-key-of-the-faults-81bd"
BOOT_S = 60.0  # other work may keep this machine busy


class System:
    """Tradepost's processes on a database of their own."""

    def __init__(self, machine: Machine, folder: Path, **settings: str) -> None:
        self.postgres, self.valkey = machine.postgres, machine.valkey
        self.name = f"faults_{uuid4().hex[:12]}"
        self.points = folder / "points"
        self.points.mkdir()
        self.database_proxy = Proxy(unix_target(str(self.postgres.socket_directory / f".s.PGSQL.{SOCKET_PORT}")))
        self.broker_proxy = Proxy(tcp_target(self.valkey.port or 0))
        self.settings = {
            "DATABASE_URL": self._proxied_url(),
            "REDIS_URL": f"redis://127.0.0.1:{self.broker_proxy.port}/0",
            "CRON_SECRET": CRON_SECRET,
            "DATA_DIR": str(folder),
            "RATE_LIMIT_ORDERS": "100000 per second",  # counted, and never reached
            "WEB_CONCURRENCY": "1",
            "TRADEPOST_ENV": "test",
            "TRADEPOST_FAULT_DIR": str(self.points),
            "PYTHONPATH": str(HOOKS),
            **settings,
        }
        self.starter = ProcessStarter(command_environment(self.settings), folder)
        self.redis = redis.Redis.from_url(self.valkey.url, socket_timeout=10)
        self.web_port = free_port()
        self.webs: list[Running] = []
        self.workers: list[Running] = []
        self.is_whole = False  # set by a check that found nothing wrong: another test may go on with these processes
        self._keeping = threading.Event()
        self._start_lock = threading.Lock()
        self._kept = threading.local()
        self._create_database()

    # --- servers

    def sql(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a statement past the proxy, and return its rows, if any."""
        with self._session().cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def change(self, account_id: str, statement: str, *parameters: Any) -> None:
        """Change rows of an account; what `sql` reads may be a view over all buckets, which cannot be changed."""
        connection = self.connect(account_id)
        connection.cursor().execute(statement, parameters or None)
        connection.close()

    def connect(self, account_id: str | None = None) -> Any:
        """Return a connection past the proxy, in autocommit, which can change and lock the rows of an account."""
        connection = psycopg2.connect(self.postgres.url(self.name), application_name="harness", connect_timeout=10)
        connection.autocommit = True
        if buckets.are_several():  # what the harness reads is of all of them
            path = f"SET search_path = {joined.SCHEMA}, public" if account_id is None else path_to(UUID(account_id))
            connection.cursor().execute(path)
        return connection

    def _session(self) -> Any:
        """Return this thread's connection past the proxy, kept as long as it answers: a test asks again and again."""
        url = self.postgres.url(self.name)
        if getattr(self._kept, "url", None) == url:
            with contextlib.suppress(psycopg2.Error), self._kept.connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                return self._kept.connection
            self._kept.connection.close()
        self._kept.url, self._kept.connection = None, self.connect()
        self._kept.url = url
        return self._kept.connection

    def stop_clockwork(self) -> None:
        """Suspend every process of PostgreSQL with SIGSTOP."""
        signal_postgres(self.postgres, signal.SIGSTOP)

    def continue_clockwork(self) -> None:
        """Let PostgreSQL go on."""
        signal_postgres(self.postgres, signal.SIGCONT)

    def enqueue(self, order_id: str, times: int) -> None:
        """Put messages for an order into the queue, as a dispatch does."""
        for _ in range(times):
            message = execute_order.message(order_id)
            message = message.copy(options={"redis_message_id": message.message_id})
            with self.redis.pipeline() as pipe:
                pipe.hset("tradepost:orders.msgs", message.message_id, message.encode())
                pipe.rpush("tradepost:orders", message.message_id)
                pipe.execute()

    # --- processes

    @property
    def base_url(self) -> str:
        """Return the URL of the web process, the same after a restart."""
        return f"http://127.0.0.1:{self.web_port}"

    def start_web(self, **settings: str) -> Running:
        """Start the web command on its port and wait until it answers."""
        web = self.starter._start("web", {"PORT": str(self.web_port), **settings}, port=self.web_port)
        self.webs.append(web)
        return web.wait_until_ready(BOOT_S)

    def start_worker(self, **settings: str) -> Running:
        """Start a worker command and wait until it works."""
        worker = self.starter._start("worker", settings)
        self.workers.append(worker)
        wait_until(lambda: is_booted(worker), timeout_s=BOOT_S, what=f"a worker is ready\n{worker.log}")
        return worker

    def start(self, **settings: str) -> "System":
        """Start one web and one worker command."""
        self.start_web(**settings)
        self.start_worker(**settings)
        return self

    def worker_children(self) -> list[psutil.Process]:
        """Return the processes that execute orders; Dramatiq's resource helpers are none."""
        return [
            child
            for worker in self.workers
            for child in worker.children()
            if "resource_tracker" not in " ".join(child.cmdline())
        ]

    @contextlib.contextmanager
    def kept(self):
        """Start commands that end again while the block runs, as a platform does."""
        self._keeping.set()
        keeper = threading.Thread(target=self._keep, daemon=True)
        keeper.start()
        try:
            yield self
        finally:
            self._keeping.clear()
            keeper.join(BOOT_S)

    def revive(self) -> None:
        """Start ended commands again."""
        with self._start_lock:
            for dead in [web for web in self.webs if not web.is_running]:
                self.webs.remove(dead)
                self.start_web()
            for dead in [worker for worker in self.workers if not worker.is_running]:
                self.workers.remove(dead)
                self.start_worker()

    def _keep(self) -> None:
        while self._keeping.is_set():
            with contextlib.suppress(AssertionError):  # it may be hit again while it starts
                self.revive()
            time.sleep(0.2)

    # --- fault points

    def arm(self, point: str, argument: str = "", *, always: bool = False) -> Path:
        """Arm a fault point for the next process that reaches it, or for every one; return its file."""
        path = self.points / f"{point}{'.always' if always else ''}"
        staging = self.points / f".{point}"
        staging.write_text(argument)
        staging.rename(path)
        return path

    def wait_for_hit(self, armed: Path, timeout_s: float = 20.0) -> None:
        """Wait until a process has reached an armed point."""
        wait_until(lambda: not armed.exists(), timeout_s=timeout_s, what=f"{armed.name} is reached")

    def disarm(self) -> None:
        """Disarm every point that no process has reached."""
        for path in self.points.iterdir():
            path.unlink(missing_ok=True)

    # --- begin and end

    def heal(self) -> None:
        """End every fault, and start the servers and commands that it ended."""
        self.disarm()
        self.continue_clockwork()
        for worker in self.workers:
            worker.signal_all(signal.SIGCONT)
        self.postgres.start()
        if self.valkey.pid is None:
            self.valkey.start()
        self.redis.config_set("maxmemory", 0)
        self.redis.replicaof("NO", "ONE")
        self.database_proxy.heal()
        self.broker_proxy.heal()
        self.revive()

    def begin_anew(self) -> None:
        """Empty the database, and leave one web and one worker command, for another test."""
        self.is_whole = False
        for commands in (self.webs, self.workers):
            for running in commands[1:]:
                running.kill()
            del commands[1:]
        deletes = emptying(but=("api_token",))
        ours = "DELETE FROM api_token WHERE account_id IS NOT NULL;"
        self.sql(f"SET session_replication_role = replica; {deletes} {ours} RESET session_replication_role")

    def close(self) -> None:
        """End the processes and drop the database."""
        self._keeping.clear()
        self.continue_clockwork()
        self.starter.stop()
        self.database_proxy.close()
        self.broker_proxy.close()
        self.redis.close()
        with contextlib.suppress(psycopg2.Error):
            administer(self.postgres, f"DROP DATABASE {self.name} WITH (FORCE)")

    def _proxied_url(self) -> str:
        options = "sslmode=disable&gssencmode=disable"
        return f"postgresql://postgres@127.0.0.1:{self.database_proxy.port}/{self.name}?{options}"

    def _create_database(self) -> None:
        administer(self.postgres, f"CREATE DATABASE {self.name} TEMPLATE {TEMPLATE}")
        self.admin_token = f"tp_{uuid4().hex}"
        digest = hashlib.sha256(self.admin_token.encode()).digest()
        scopes = "ARRAY['admin', 'feed']"
        self.sql(f"INSERT INTO api_token (id, digest, scopes) VALUES (%s, %s, {scopes})", str(uuid4()), digest)


def is_booted(worker: Running) -> bool:
    """Return True if a worker command is ready; fail when it has ended."""
    assert worker.is_running, f"a worker command has ended:\n{worker.log}"
    return "ready for action" in worker.log
