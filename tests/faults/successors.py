"""Replacements of a lost PostgreSQL that lack its last commits: a late standby, or a backup."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import psycopg2

from embedded.postgres import SOCKET_PORT, Postgres, ServerError
from tests.faults.machine import administer
from tests.faults.proxy import unix_target
from tests.faults.system import System
from tests.support.processes import wait_until


class LateStandby:
    """An asynchronous standby of a system's PostgreSQL, which is cut off from it and promoted."""

    def __init__(self, system: System, folder: Path) -> None:
        self._system, self._primary = system, system.postgres
        self.postgres = Postgres(folder / "standby", durable=False)
        self.postgres._prepare_folders()
        source = ["-h", str(self._primary.socket_directory), "-p", str(SOCKET_PORT), "-U", "postgres"]
        self.postgres._run("pg_basebackup", "-R", "-X", "fetch", "-c", "fast", *source, "-D", self.postgres.data.name)
        self.postgres.start()

    def fall_behind(self) -> None:
        """Keep every commit up to now, and miss all later ones."""
        administer(self._primary, "CREATE TABLE caught_up ()")
        wait_until(lambda: _count(self.postgres, "pg_class WHERE relname = 'caught_up'"), what="it has caught up")
        administer(self.postgres, "ALTER SYSTEM SET primary_conninfo = ''")
        administer(self.postgres, "SELECT pg_reload_conf()")
        wait_until(lambda: not _count(self.postgres, "pg_stat_wal_receiver"), what="it hears of nothing more")

    def take_over(self) -> None:
        """Become the primary in place of the lost one; the processes cannot reach it yet."""
        self._system.database_proxy.refuse()
        self._primary.stop(mode="immediate")
        try:
            self.postgres._run("pg_ctl", "promote", "-w", "-D", self.postgres.data.name)
        except ServerError as error:
            raise AssertionError(f"{error}\n{self.postgres.log_path.read_text()}") from None
        self._system.postgres = self.postgres

    def show(self) -> None:
        """Let the processes reach the new server."""
        socket = self.postgres.socket_directory / f".s.PGSQL.{SOCKET_PORT}"
        self._system.database_proxy.lead_to(unix_target(str(socket)))
        self._system.database_proxy.heal()

    def close(self) -> None:
        """Stop it and remove its files."""
        self.postgres.stop(mode="immediate")
        self.postgres.delete()


class Backup:
    """A copy of the files of a system's PostgreSQL, which is put back later: no new timeline begins."""

    def __init__(self, system: System, folder: Path) -> None:
        self._system, self._postgres, self._copy = system, system.postgres, folder / "backup"

    def fall_behind(self) -> None:
        """Keep every commit up to now, and miss all later ones."""
        self._postgres.stop()
        subprocess.run(["cp", "-a", self._postgres.data, self._copy], check=True)
        self._postgres.start()

    def take_over(self) -> None:
        """Replace the server's files by the copy; the processes cannot reach it yet."""
        self._system.database_proxy.refuse()
        self._postgres.stop()
        shutil.rmtree(self._postgres.data)
        self._copy.rename(self._postgres.data)
        self._postgres.start()

    def show(self) -> None:
        """Let the processes reach the new server."""
        self._system.database_proxy.heal()

    def close(self) -> None:
        """Do nothing: the server is the machine's."""


def _count(postgres: Postgres, rows: str) -> Any:
    connection = psycopg2.connect(postgres.url(), application_name="harness")
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {rows}")
            return cursor.fetchone()[0]
    finally:
        connection.close()
