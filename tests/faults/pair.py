"""A primary, a standby that follows it, and the acts of a manager that fails over between them."""

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from embedded.postgres import SOCKET_PORT, Postgres, ServerError, binary
from tests.faults.machine import Machine, administer, signal_postgres
from tests.faults.proxy import HOST, Proxy, unix_target
from tests.faults.system import System
from tests.support.processes import wait_until

DEBIAN = Path("/usr/lib/postgresql")
NEEDED = ("initdb", "pg_basebackup", "pg_ctl", "pg_rewind", "postgres")
# A killed server loses nothing by fsync=off. pg_rewind needs hints in the log, and the log since the last checkpoint.
SETTINGS = {
    "fsync": "off",
    "wal_log_hints": "on",
    "wal_keep_size": "512MB",
    "wal_retrieve_retry_interval": "200ms",  # a promotion waits for the end of such a pause
}
CATCH_UP_S = 60.0  # other work may keep this machine busy


class DebianPostgres(Postgres):
    """A server whose programs are those of Debian's newest package."""

    def program(self, name: str) -> Path:
        """Return the path of one of the server's programs."""
        return debian_programs()[-1] / name


class Pair:
    """Two servers, one of which follows the other; each has a proxy before it, and so has the wire between them."""

    def __init__(self, folder: Path, *, is_synchronous: bool = True) -> None:
        self.is_synchronous = is_synchronous
        self.is_whole = False
        self.primary, self.standby = (make_server(folder / name) for name in ("a", "b"))
        self.nodes = (self.primary, self.standby)
        self.doors = {node.folder: Proxy(target_of(node)) for node in self.nodes}
        self.wire = Proxy(target_of(self.primary))

    @property
    def hosts(self) -> str:
        """Return the list of hosts of a URL: always both, in the same order."""
        return ",".join(f"{HOST}:{self.door(node).port}" for node in self.nodes)

    def door(self, node: Postgres) -> Proxy:
        """Return the proxy before a server."""
        return self.doors[node.folder]

    def begin(self) -> None:
        """Start the primary, copy it, and let the copy follow it."""
        self.primary.initialise()
        configure(self.primary)
        self.primary.start()
        self.standby._prepare_folders()
        source = f"host={self.primary.socket_directory} port={SOCKET_PORT} user=postgres"
        self.standby._run("pg_basebackup", "-d", source, "-D", "data", "-X", "stream", "-c", "fast", "--no-sync")
        self._follow()

    # --- the primary is lost

    def kill(self) -> None:
        """Kill every process of the primary at once with SIGKILL."""
        signal_postgres(self.primary, signal.SIGKILL)
        wait_until(lambda: not self.primary._processes(), what="the primary is dead")

    def kill_main_process(self) -> None:
        """Kill the primary's main process alone with SIGKILL; its children notice by themselves."""
        os.kill(self.primary.pid or 0, signal.SIGKILL)
        wait_until(lambda: not self.primary._processes(), what="the primary is dead")

    def lose_host(self) -> None:
        """Let nothing answer any more, neither with data nor with the end of a connection."""
        self.door(self.primary).go_silent()
        self.wire.cut_all()
        self.kill()

    def cut_off(self) -> None:
        """Cut the primary off from its standby; it lives on, and takes writes if nobody has to confirm them."""
        self.wire.refuse()

    def stop(self) -> None:
        """Stop the primary in order: the standby gets all of its log."""
        self.primary.stop()

    # --- the standby takes over

    def promote(self) -> Postgres:
        """Make the standby the primary, which nobody follows yet, and return it."""
        try:
            self.standby._run("pg_ctl", "promote", "-w", "-D", self.standby.data.name)
        except ServerError as error:
            raise AssertionError(f"{error}\n{self.standby.log_path.read_text()}") from None
        self.is_whole = False
        self.primary, self.standby = self.standby, self.primary
        self.wire.lead_to(target_of(self.primary))
        return self.primary

    def rejoin(self) -> None:
        """Rewind the old primary to where it left the new one's history, and let it follow, unless it does already."""
        for proxy in (self.wire, *self.doors.values()):
            proxy.heal()
        if self.is_whole:
            return
        configure(self.primary)  # it waits for no standby meanwhile
        self.standby.stop(mode="immediate")
        self.standby._remove_stale_number()
        administer(self.primary, "CHECKPOINT")  # pg_rewind reads the timeline of the last one
        source = f"host={self.primary.socket_directory} port={SOCKET_PORT} user=postgres dbname=postgres"
        self.standby._run("pg_rewind", "--no-sync", "-D", self.standby.data.name, f"--source-server={source}")
        self._follow()

    def revive_unfenced(self, *, forgets_standby: bool = True) -> Postgres:
        """Start the old primary as if nothing had happened, and return it: it takes writes on its old timeline."""
        if forgets_standby:
            configure(self.standby)
        self.door(self.standby).heal()
        self.standby.start()
        return self.standby

    def close(self) -> None:
        """Stop both servers and remove their files."""
        for node in self.nodes:
            node.stop(mode="immediate")
            node.delete()
            self.door(node).close()
        self.wire.close()

    def _follow(self) -> None:
        conninfo = f"host={HOST} port={self.wire.port} user=postgres sslmode=disable application_name=standby"
        configure(self.standby, primary_conninfo=conninfo)
        signal_file = self.standby.data / "standby.signal"
        signal_file.touch()
        os.chown(signal_file, self.standby.data.stat().st_uid, -1)
        self.standby.start()
        if self.is_synchronous:
            configure(self.primary, synchronous_standby_names="*")
        wait_until(self._is_followed, timeout_s=CATCH_UP_S, what="the standby follows")
        self.is_whole = True

    def _is_followed(self) -> bool:
        found = ask(
            self.primary,
            "SELECT sync_state FROM pg_stat_replication"
            " WHERE state = 'streaming' AND replay_lsn >= pg_current_wal_lsn()",
        )
        return found == [("sync" if self.is_synchronous else "async",)]


class PairedMachine(Machine):
    """A machine whose PostgreSQL is a pair."""

    def __init__(self, folder: Path, *, is_synchronous: bool = True) -> None:
        super().__init__(folder)
        self.pair = Pair(folder / "pair", is_synchronous=is_synchronous)
        self.postgres = self.pair.primary

    def begin(self) -> "PairedMachine":
        """Start all servers and make the template."""
        self.pair.begin()
        self.start()
        self.make_template()
        return self

    def close(self) -> None:
        """Stop the servers and remove their files."""
        self.pair.close()
        super().close()


class PairedSystem(System):
    """A system on a pair, whose URL lists both servers; or names one address, behind which the primary is changed."""

    def __init__(self, machine: PairedMachine, folder: Path, *, is_listed: bool = True, **settings: str) -> None:
        self.pair, self._is_listed = machine.pair, is_listed
        machine.postgres = machine.pair.primary  # another than at the start, after an earlier test
        super().__init__(machine, folder, **settings)

    def promote(self) -> None:
        """Promote the standby; the processes are told nothing, but one address leads to it now."""
        self.postgres = self.pair.promote()
        self.database_proxy.lead_to(target_of(self.postgres))
        if not self._is_listed:
            self.database_proxy.heal()
            self.database_proxy.cut_all()

    def heal(self) -> None:
        """End every fault."""
        self.pair.wire.heal()
        for door in self.pair.doors.values():
            door.heal()
        super().heal()

    def _proxied_url(self) -> str:
        url = super()._proxied_url()
        return url.replace(f"{HOST}:{self.database_proxy.port}", self.pair.hosts) if self._is_listed else url


def make_server(folder: Path) -> Postgres:
    """Return a server that can be copied and rewound: Debian's, or the wheel's; skip where neither can."""
    if debian_programs():
        return DebianPostgres(folder, settings=SETTINGS, durable=False)
    with contextlib.suppress(ServerError):
        for name in NEEDED:
            binary(name)
        return Postgres(folder, settings=SETTINGS, durable=False)
    pytest.skip(f"neither {DEBIAN} nor the embedded server has {', '.join(NEEDED)}")


def debian_programs() -> list[Path]:
    """Return the folders of Debian's versions that have all that a pair needs, the newest last."""
    folders = [folder for folder in DEBIAN.glob("*/bin") if folder.parent.name.isdigit()]
    whole = [folder for folder in folders if all((folder / name).exists() for name in NEEDED)]
    return sorted((f for f in whole if int(f.parent.name) >= 15), key=lambda folder: int(folder.parent.name))


def target_of(node: Postgres) -> Any:
    """Return the function with which a proxy connects to a server."""
    return unix_target(str(node.socket_directory / f".s.PGSQL.{SOCKET_PORT}"))


def configure(node: Postgres, **settings: str) -> None:
    """Give a server these settings and SETTINGS, also for the programs that work on its files."""
    lines = [f"{name} = '{value}'\n" for name, value in {**SETTINGS, **settings}.items()]
    (node.data / "postgresql.auto.conf").write_text("".join(lines))
    if node.answers():
        administer(node, "SELECT pg_reload_conf()")


def ask(node: Postgres, query: str, database: str = "postgres") -> list[tuple[Any, ...]]:
    """Return the rows of a query in one of a server's databases."""
    connection = psycopg2.connect(node.url(database), application_name="harness")
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()
