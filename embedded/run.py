"""The whole service on this machine: `make run`."""

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import honcho.manager
from honcho.environ import parse_procfile
from peewee import PeeweeException

import config
from config import misspelt
from embedded import banner, local_http, processes, programs
from embedded.data_folder import DataFolder
from embedded.interruption import Interruption, StopRequestedError
from embedded.manager import Manager
from embedded.postgres import Postgres
from embedded.programs import ServerError
from embedded.seed import Demo, seed
from embedded.valkey import Valkey
from models.database import DatabaseUnavailable
from runtime import addresses, database_url

ROOT = Path(__file__).resolve().parent.parent
DATABASE_NAME = "tradepost"
# As on Heroku, a process that has not ended after this time is killed. Honcho's own 5 s apply only before the service
# is ready: a gunicorn worker that is still importing loses its signal.
STOP_TIMEOUT_S = 25


class CannotRunError(Exception):
    """The service cannot run here; the message is one line with the cause."""


class Run:
    """One run: the parts start in order, and the started ones stop in the opposite order."""

    def __init__(self, settings: config.Settings, interruption: Interruption) -> None:
        self.settings = settings
        self.interruption = interruption
        self.folder = DataFolder(settings.data_dir)
        self.stack = contextlib.ExitStack()
        self.environment = self._base_environment()

    def main(self) -> int:
        """Run until a signal or the end of a process, and return the exit status."""
        if not self.folder.path.exists():  # else processes of an earlier run may have the port
            _require_ports(self.settings)
        if not self.folder.acquire():
            raise CannotRunError(f"another `make run` uses DATA_DIR {self.folder.path}")
        try:
            if "METRICS_DIR" not in os.environ:  # the counts of this folder's processes are in memory
                self.stack.callback(shutil.rmtree, self.settings.metrics_dir, ignore_errors=True)
            self._clear_up_after_a_kill()
            _require_ports(self.settings)
            self._start_servers()
            self._release()
            return self._run_procfile(self._seed())
        finally:
            self.interruption.ignore()
            self.stack.close()

    def _base_environment(self) -> dict[str, str]:
        programs = str(Path(sys.executable).parent)  # not resolved: the python of a venv is a link
        reported = misspelt.find(os.environ)  # by this process, so not by each of the others again
        return {
            **{name: value for name, value in os.environ.items() if name not in reported},
            "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            # A mistyped symbol of a first order is told, with the stocks that it may mean.
            "UNKNOWN_SYMBOLS": os.environ.get("UNKNOWN_SYMBOLS", "").strip() or "refuse",
            "RECORD_CANDLES": os.environ.get("RECORD_CANDLES", "").strip() or "on",
            "SHARDS": os.environ.get("SHARDS", "").strip() or "1",  # not that of an earlier run
            "PORT": str(self.settings.port),
            "DATA_DIR": str(self.folder.path),
            "PYTHONUNBUFFERED": "1",
            "LOG_TIME": os.environ.get("LOG_TIME", "off"),  # the manager's lines begin with the time
        }

    def _clear_up_after_a_kill(self) -> None:
        leftovers = self.folder.leftovers()
        if leftovers:
            with _step("stopping processes of an earlier run"):
                processes.stop_all(leftovers, timeout_s=STOP_TIMEOUT_S)
        self.folder.forget_processes()

    def _start_servers(self) -> None:
        embedded = [name for name in ("DATABASE_URL", "REDIS_URL") if not os.environ.get(name, "").strip()]
        if "DATABASE_URL" in embedded:
            self.environment["DATABASE_URL"] = self._start_postgres()
        if "REDIS_URL" in embedded:
            self.environment["REDIS_URL"] = self._start_valkey()
        urls = {name: self.environment[name].strip() for name in ("DATABASE_URL", "REDIS_URL")}
        self.environment.update(urls)
        own = {"SHARDS": self.environment["SHARDS"], "TRADEPOST_URL": f"http://127.0.0.1:{self.settings.port}"}
        self.folder.write_environment(urls | own, embedded)
        if embedded:
            self.stack.callback(self.folder.forget_environment)
        if self.settings.cron_secret is None:
            self.environment["CRON_SECRET"] = self.folder.cron_secret()
        self.settings = config.load(self.environment)

    def _start_postgres(self) -> str:
        server = Postgres(self.folder.path / "postgres", check=self.interruption.check)
        with self.interruption.shielded():
            self.stack.callback(server.stop)
            if not server.is_initialised:
                with _step("creating the PostgreSQL files (initdb)"):
                    server.initialise()
            with _step("starting PostgreSQL"):
                server.start()
                server.create_database(DATABASE_NAME)
        return server.url(DATABASE_NAME)

    def _start_valkey(self) -> str:
        server = Valkey(self.folder.path / "valkey", check=self.interruption.check)
        with self.interruption.shielded(), _step("starting Valkey"):
            self.stack.callback(server.stop)
            server.start()
        return server.url

    def _release(self) -> None:
        with _step("migrating the database"):
            command = _procfile()["release"]
            # exec: a stop ends the command itself, not only its shell.
            done = subprocess.run(f"exec {command}", shell=True, cwd=ROOT, env=self.environment, capture_output=True)
        if done.returncode != 0:
            sys.stderr.buffer.write(done.stdout + done.stderr)
            raise CannotRunError(f"the release command failed: {command}")

    def _seed(self) -> Demo:
        # Shielded: a stop during a statement would become a database error; statements have a time limit anyway.
        with self.interruption.shielded(), _step("seeding the demo"):
            return seed(self.settings)

    def _run_procfile(self, demo: Demo) -> int:
        manager = Manager()
        for name, command in _procfile().items():
            if name != "release":
                manager.add_process(name, command, env=self.environment, cwd=str(ROOT))
        if self.settings.simulator:
            feed = {**self.environment, "DEMO_FEED_TOKEN": demo.feed_token, "DEMO_TOKEN": demo.token}
            manager.add_process("quotes", "exec python -m embedded.quote_simulator", env=feed, cwd=str(ROOT))
        self.stack.callback(self._stop_processes, known := self._known_leaders())
        watcher = threading.Thread(target=self._announce, args=(demo, known), daemon=True)
        watcher.start()
        manager.loop()
        # After a signal the run ends as asked; otherwise the first process that ended decides the status.
        return 0 if manager.returncode in (130, 143) else manager.returncode or 1

    def _known_leaders(self) -> set[int]:
        """Return the process groups that existed before the Procfile's."""
        return set(processes.leaders_below(os.getpid()))

    def _stop_processes(self, known: set[int]) -> None:
        leaders = set(processes.leaders_below(os.getpid())) - known
        members = [member for leader in leaders for member in processes.group_members(leader)]
        processes.stop_all([*members, *self.folder.leftovers()], timeout_s=STOP_TIMEOUT_S)
        self.folder.forget_processes()

    def _announce(self, demo: Demo, known: set[int]) -> None:
        """Record the started processes, wait until the service is ready, and print the banner."""
        port, noted = self.settings.port, set[int]()
        while not _is_ready(port):
            started = set(processes.leaders_below(os.getpid())) - known
            if started != noted:
                with contextlib.suppress(OSError):  # full disk: the record matters only after a kill -9
                    self.folder.remember_processes(sorted(started))
                noted = started
            time.sleep(0.1)
        honcho.manager.KILL_WAIT = STOP_TIMEOUT_S
        print(banner.ready_text(self.settings, demo, banner.read_clock(port, demo.token)), flush=True)


def main() -> int:
    """Run the service; print one line and return 1 if it cannot run."""
    interruption = Interruption()
    interruption.install()
    place = None
    try:
        settings = config.load(os.environ)
        database_url.check(settings)
        misspelt.warn()
        place = settings.data_dir  # named if an error has no file name, as on a full disk
        return Run(settings, interruption).main()
    except StopRequestedError:
        return 0
    except (config.ConfigurationError, CannotRunError, ServerError) as error:
        print(f"tradepost: {error}", file=sys.stderr)
    except (DatabaseUnavailable, PeeweeException) as error:
        print(f"tradepost: the database failed: {programs.cause(str(error).strip())}", file=sys.stderr)
    except OSError as error:
        print(f"tradepost: {error.strerror}: {error.filename or place}", file=sys.stderr)
    return 1


def _procfile() -> dict[str, str]:
    return dict(parse_procfile((ROOT / "Procfile").read_text()).processes)


def _require_ports(settings: config.Settings) -> None:
    port = settings.port
    if settings.metrics_port == port:
        raise CannotRunError(f"METRICS_PORT and PORT are both {port}: choose another METRICS_PORT")
    for host in addresses.to_listen_on(settings):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host.strip("[]"), port))
                probe.listen(1)
            except OSError as error:
                raise CannotRunError(f"PORT {port} cannot be used ({error.strerror}): try PORT={port + 1}") from None


def _is_ready(port: int) -> bool:
    try:
        with local_http.open_url(f"http://127.0.0.1:{port}/health/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        return False


@contextlib.contextmanager
def _step(text: str) -> Iterator[None]:
    """Print a progress line with the duration of the step."""
    print(f"{text} ...", end="", flush=True)
    start = time.monotonic()
    try:
        yield
    except BaseException:
        print(" failed", flush=True)
        raise
    print(f" {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
