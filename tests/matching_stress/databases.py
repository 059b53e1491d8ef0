"""An empty, migrated database for a run."""

import subprocess
from urllib.parse import urlsplit

from embedded.postgres import create_database
from tests.support.processes import ROOT, command_environment

MIGRATE_S = 120.0  # other work may keep this machine busy


def migrated_database(server_url: str, name: str) -> str:
    """Create a database on a server, migrate it in a process of its own, and return its URL."""
    create_database(server_url, name)
    url = urlsplit(server_url)._replace(path=f"/{name}").geturl().replace(":///", "://", 1)
    command = ["flask", "--app", "api", "db", "upgrade"]
    environment = command_environment({"DATABASE_URL": url})
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=MIGRATE_S)
    return url
