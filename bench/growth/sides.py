"""Three databases in one server, from almost empty to full, each with its own processes and broker."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import redis

from bench.services import Services, settings_of
from embedded.interruption import Interruption
from embedded.postgres import Postgres
from embedded.valkey import Valkey
from models import database
from tests.support.processes import ProcessStarter, command_environment

SIDES = EMPTY, TENTH, FULL = "empty", "tenth", "full"
# A quarter of the machine's memory, as PostgreSQL's manual advises (section 19.4.1 of version 18, 2026-11-26), instead
# of the default of 128 MB: the server has 15 GB of data. The sides share it.
SERVER_SETTINGS = {"shared_buffers": f"{psutil.virtual_memory().total // 4 // 2**20}MB"}


@dataclass(frozen=True)
class Side:
    """One database with its web processes; enter() connects this process to it."""

    name: str
    services: Services

    def enter(self) -> None:
        """Connect this process to the database."""
        point_at(self.services.database_url)


def point_at(url: str) -> None:
    """Connect this process to a database."""
    database.initialise(url, pool_size=4, application_name="tradepost-bench")


@contextlib.contextmanager
def server(interruption: Interruption, folder: Path) -> Iterator[Postgres]:
    """Run a durable PostgreSQL with the databases while the block runs; the folder is kept."""
    postgres = Postgres(folder / "postgres", settings=SERVER_SETTINGS)
    with contextlib.ExitStack() as stack:
        with interruption.shielded():
            stack.callback(postgres.stop)
            postgres.start()
            stack.callback(interruption.ignore)
        for name in SIDES:
            postgres.create_database(name)
        stack.callback(database.db.dispose)
        yield postgres


@contextlib.contextmanager
def running_sides(interruption: Interruption, postgres: Postgres) -> Iterator[list[Side]]:
    """Run the web processes of the Procfile on each database, with equal settings."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="growth-", ignore_cleanup_errors=True)))
        found = []
        for name in (TENTH, EMPTY, FULL):  # in alternating order, so that both others are next to the empty one
            valkey = Valkey(folder / name / "valkey", durable=False)
            with interruption.shielded():
                stack.callback(valkey.stop)
                valkey.start()
                stack.callback(interruption.ignore)
            settings = settings_of(postgres, valkey, folder / name, 2) | {"DATABASE_URL": postgres.url(name)}
            client = stack.enter_context(redis.Redis.from_url(valkey.url, socket_timeout=5))
            starter = ProcessStarter(command_environment(settings), folder / name)
            stack.callback(starter.stop)
            found.append(Side(name, Services(settings["DATABASE_URL"], client, starter, starter.web())))
            stack.callback(interruption.ignore)
        yield found
