"""The servers that Tradepost stands on: a PostgreSQL and a Valkey of our own."""

import contextlib
import signal
import subprocess
from pathlib import Path

import psutil
import psycopg2
import redis

from embedded.postgres import Postgres
from embedded.valkey import Valkey
from models import buckets
from tests.support import joined
from tests.support.processes import ROOT, command_environment
from tests.support.servers import FORGETFUL, SHARDS

TEMPLATE = "faults_template"
MIGRATE_S = 120.0  # other work may keep this machine busy


class Machine:
    """A PostgreSQL and a Valkey, which stay while systems come and go."""

    def __init__(self, folder: Path) -> None:
        self.postgres = Postgres(folder / "postgres", durable=False, settings=FORGETFUL)
        self.valkey = Valkey(folder / "valkey", durable=False)

    def start(self) -> None:
        """Start stopped servers, and undo the faults of both."""
        signal_postgres(self.postgres, signal.SIGCONT)
        self.postgres.start()
        if self.valkey.pid is None:
            self.valkey.start()
        with redis.Redis.from_url(self.valkey.url, socket_timeout=5) as client:
            client.config_set("maxmemory", 0)
            client.replicaof("NO", "ONE")
            client.flushall()

    def make_template(self) -> None:
        """Migrate a database once, from which each system's is copied."""
        self.postgres.create_database(TEMPLATE)
        environment = command_environment({"DATABASE_URL": self.postgres.url(TEMPLATE)})
        command = ["flask", "--app", "api", "db", "upgrade"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=MIGRATE_S)
        buckets.set_count(SHARDS)
        if buckets.are_several():
            for statement in joined.creation():
                administer(self.postgres, statement, TEMPLATE)

    def close(self) -> None:
        """Stop the servers and remove their files."""
        self.valkey.stop()
        self.valkey.delete()
        self.postgres.stop(mode="immediate")
        self.postgres.delete()


def signal_postgres(postgres: Postgres, number: int) -> None:
    """Send a signal to every process of a PostgreSQL server."""
    pid = postgres.pid
    if pid is None:
        return
    main = psutil.Process(pid)
    for process in [main, *main.children(recursive=True)]:  # the main one first: it starts no more children
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def administer(postgres: Postgres, statement: str, database: str = "postgres") -> None:
    """Run a statement in the server's own database, outside those of the systems, or in another one."""
    connection = psycopg2.connect(postgres.url(database), application_name="harness")
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()
