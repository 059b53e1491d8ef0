"""The commands that write the database into a file and read it back."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import click
from flask import current_app
from flask.cli import with_appcontext
from peewee import ProgrammingError

import config
from models import migrate
from models.database import db
from models.dumps import DumpFailed, is_empty, name_of, read_dump, write_dump
from trading.events.restored import newest_events, note_lost_events
from trading.upkeep.verify import verify

from .command_input import is_typed
from .failures import fail, with_database
from .output import as_json, show
from .progress import patience

# More events than an account has had since a nightly backup, in most cases.
LOST_EVENTS = 10_000
A_FILE = click.Path(dir_okay=False, path_type=Path)
lost_events_option = click.option(
    "--lost-events",
    default=LOST_EVENTS,
    show_default=True,
    type=click.IntRange(0, 1_000_000_000),
    help="The most events that an account can have had since the backup, unless --replace counts them.",
)


@click.command("backup")
@click.argument("file", type=A_FILE)
@as_json
@with_appcontext
@with_database
def backup(file: Path, as_json: bool) -> None:
    """Write the whole database into a file, while the service runs."""
    began_at = time.monotonic()
    with patience("writing the file"):
        _dumping(lambda: write_dump(_url(), file))
    took = f"{time.monotonic() - began_at:.1f}"
    show(as_json, {"database": name_of(_url()), "file": str(file), "bytes": file.stat().st_size, "seconds": took})


@click.command("restore")
@click.argument("file", type=A_FILE)
@click.option("--replace", "replaces", is_flag=True, help="Replace the tables that the database has.")
@lost_events_option
@as_json
@with_appcontext
@with_database
def restore(file: Path, replaces: bool, lost_events: int, as_json: bool) -> None:
    """Read a backup into an empty database, migrate it, have its listeners reset, and verify its ledger.

    All is restored or nothing. Migrations that are newer than the backup are applied. Exit 1 if the ledger has a
    violation. On a terminal --replace names the database and asks first.
    """
    if replaces and is_typed():
        click.confirm(f"Replace all tables of {name_of(_url())}?", abort=True, err=True)
    before = _numbers_before() if replaces else {}
    with patience("restoring"):
        _dumping(lambda: read_dump(_url(), file, replaces=replaces))
    db.pool.renew()
    _finish(before, lost_events, as_json)


@click.command("restored")
@lost_events_option
@as_json
@with_appcontext
@with_database
def restored(lost_events: int, as_json: bool) -> None:
    """Finish a restore that was made by other means: migrate, note lost events and verify, as `restore` does.

    Run it once, before web processes use the database.
    """
    _finish({}, lost_events, as_json)


def _finish(before: dict[UUID, int], lost_events: int, as_json: bool) -> None:
    with patience("migrating"):
        applied = migrate.upgrade()
    accounts = note_lost_events(before, lost_events)
    done = {"database": name_of(_url()), "migrationsApplied": len(applied), "accountsToReset": accounts}
    with patience("checking the ledger of every account"):
        violations = len(verify())
    show(as_json, {**done, "violations": violations})
    if violations:
        fail(f"violations: {violations}; `ledger verify` lists them")


def _numbers_before() -> dict[UUID, int]:
    """Return the numbers of the newest events that are about to be replaced; none if the tables are not Tradepost's."""
    if is_empty():
        return {}
    try:
        return newest_events()
    except ProgrammingError:
        return {}


def _url() -> str:
    return config.require_database_url(current_app.config["SETTINGS"])


def _dumping(action: Callable[[], Any]) -> None:
    try:
        action()
    except DumpFailed as error:
        fail(str(error))
