"""The servers and processes of a benchmark, started for it alone and stopped at its end."""

import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import redis
from honcho.environ import parse_procfile

import config
from actors.maintenance import sweep_orders
from actors.ticker import PERIODIC, tick_key
from bench.seeding import seed
from embedded.interruption import Interruption, StopRequestedError
from embedded.postgres import Postgres
from embedded.valkey import Valkey
from models import database, migrate
from models.database import execute, fetch_one, unbounded
from runtime import logs
from tests.support.processes import ROOT, ProcessStarter, Running, command_environment, wait_until
from trading.execution.sweeping import MAX_BATCH, sweep_once
from trading.upkeep.backlog import count_pending

DURABLE_SETTINGS = ("fsync", "synchronous_commit", "full_page_writes")
READY_TIMEOUT_S = 30.0
BOOT, STOCK_BOOT = "actors.worker:boot", "bench.stock_worker:boot"
LOG_FILES = 64  # of 16 MB: as much as the server writes between two checkpoints
LOG_SETTINGS = {"min_wal_size": f"{16 * LOG_FILES}MB"}
HOT_TABLES = ("account", "trading_order", "position", "fund_transaction", "event")


@dataclass(frozen=True)
class Services:
    """The running database, broker and web process of the Procfile."""

    database_url: str
    redis: redis.Redis
    starter: ProcessStarter
    web: Running

    @property
    def port(self) -> int:
        """Return the port of the web process."""
        assert self.web.port is not None
        return self.web.port

    def start_worker(self, *, is_stock: bool = False, **settings: str) -> Running:
        """Start the Procfile's worker on an empty queue and wait until it works.

        A stock worker differs only in its consumer, which is Dramatiq's own. The work that is due every ten minutes or
        every hour counts as done, because it takes long on full tables and is measured separately. With
        LOG_FORMAT="json" the log has the steps of each execution.
        """
        self.redis.flushdb()
        for actor, period_ms in PERIODIC:
            self.redis.set(tick_key(actor), 1, px=period_ms)
        worker = self._start_stock_worker() if is_stock else self.starter.worker(**settings)
        # Each worker process ticks once in an interval, so that this key shows the first one at work.
        first_tick = tick_key(sweep_orders)
        wait_until(lambda: self.redis.exists(first_tick), timeout_s=READY_TIMEOUT_S, what=f"worker\n{worker.log}")
        return worker

    def _start_stock_worker(self) -> Running:
        command = dict(parse_procfile((ROOT / "Procfile").read_text()).processes)["worker"]
        assert BOOT in command, f"the worker process of the Procfile does not name {BOOT}"
        log_path = self.starter.folder / f"stock-worker-{len(self.starter.started)}.log"
        worker = Running(command.replace(BOOT, STOCK_BOOT), self.starter.environment, log_path)
        self.starter.started.append(worker)
        return worker

    def use(self) -> None:
        """Connect this process to this database."""
        _connect(self.database_url)

    def settle(self) -> None:
        """Execute all PENDING orders, empty the queues and vacuum the tables, so that every round starts alike."""
        self.redis.flushdb()
        while count_pending():
            sweep_once(limit=MAX_BATCH)
        self.redis.flushdb()
        with unbounded():
            execute(f"VACUUM (ANALYZE) {', '.join(HOT_TABLES)}")

    def versions(self) -> dict[str, str]:
        """Return the servers' versions and the settings that make a commit durable, which must be on."""
        with database.session():
            facts = {name: _shown(name) for name in ("server_version", *DURABLE_SETTINGS)}
        for name in DURABLE_SETTINGS:
            assert facts[name] == "on", f"{name} is {facts[name]}: without durable commits the figures mean nothing"
        return {
            "postgresql": facts.pop("server_version"),
            "valkey": self.redis.info("server").get("valkey_version", "unknown"),
            **facts,
        }


def run_to_the_end(run: Callable[[Interruption], int], *failures: type[Exception]) -> int:
    """Run a benchmark, report an interruption or one of these failures, and return the exit status."""
    interruption = Interruption()
    interruption.install()
    try:
        return run(interruption)
    except StopRequestedError:
        print("stopped", file=sys.stderr)
        return 130
    except failures as error:
        print(f"the benchmark failed: {error}", file=sys.stderr)
        return 1


@contextlib.contextmanager
def running(interruption: Interruption, *, web_concurrency: int = 2) -> Iterator[Services]:
    """Run a durable PostgreSQL, a Valkey and the web processes in a temporary folder while the block runs."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)))
        postgres = Postgres(folder / "postgres", settings=LOG_SETTINGS)
        valkey = Valkey(folder / "valkey", durable=False)
        with interruption.shielded():
            for server in (postgres, valkey):
                stack.callback(server.delete)
                stack.callback(server.stop)
                server.start()
            stack.callback(interruption.ignore)
        settings = settings_of(postgres, valkey, folder, web_concurrency)
        _prepare(settings["DATABASE_URL"])
        stack.callback(database.db.dispose)
        client = stack.enter_context(redis.Redis.from_url(valkey.url, socket_timeout=5))
        starter = ProcessStarter(command_environment(settings), folder)
        stack.callback(starter.stop)
        web = starter.web()
        stack.callback(interruption.ignore)  # runs first at the end, so that no signal interrupts the stop
        yield Services(settings["DATABASE_URL"], client, starter, web)


def settings_of(postgres: Postgres, valkey: Valkey, folder: Path, web_concurrency: int) -> dict[str, str]:
    """Return the environment of the processes: as in production, without the limit on orders."""
    data = folder / "data"
    data.mkdir()
    return {
        "DATABASE_URL": postgres.url(),
        "REDIS_URL": valkey.url,
        "DATA_DIR": str(data),
        "RATE_LIMIT_ORDERS": "off",
        "WEB_CONCURRENCY": str(web_concurrency),
        "ORDER_DISPATCH": "queue",
        "MARKET_CALENDAR": "",
        "LOG_LEVEL": "INFO",
        "TRADEPOST_ENV": "test",
    }


def _prepare(database_url: str) -> None:
    """Connect this process to the database, migrate it and fill it."""
    logs.configure("WARNING", "text")
    _connect(database_url)
    migrate.upgrade()
    seed()
    _make_log_files()


def _make_log_files() -> None:
    """Let the server create the files of its log (WAL), which a server that has run for a while reuses.

    The creation of a file delays every commit by tens of milliseconds, which would dominate the p99.
    """
    with unbounded():
        for _ in range(LOG_FILES):
            execute("SELECT pg_logical_emit_message(false, 'bench', ''), pg_switch_wal()")
        execute("CHECKPOINT")


def _connect(database_url: str) -> None:
    settings = config.load({"DATABASE_URL": database_url})
    database.initialise(config.require_database_url(settings), pool_size=4, application_name="tradepost-bench")


def _shown(name: str) -> str:
    row = fetch_one("SELECT current_setting(%s) AS value", (name,))
    assert row is not None
    return str(row["value"])
