"""The commands on the ledger and on the database."""

import click
from flask import current_app
from flask.cli import AppGroup
from peewee import ProgrammingError

from models import migrate, partitions
from models.partitions import NotSplit
from schemas.fields import format_timestamp
from trading.events.retention import delete_what_is_old
from trading.market.candle_retention import delete_old_candles
from trading.upkeep.gathering import gather_ended
from trading.upkeep.verify import verify

from .backup_commands import backup, restore, restored
from .failures import fail, with_database
from .output import Columns, as_json, as_time, show
from .partition_commands import detach, partition
from .progress import patience
from .session_commands import make_missing_sessions

ledger = AppGroup("ledger", help="Verify the ledger.")
db = AppGroup("db", help="Migrate, back up and restore the database, and delete expired rows.")
for command in (backup, restore, restored, partition, detach):
    db.add_command(command)

MIGRATIONS: Columns = {"MIGRATION": "name", "APPLIED (IST)": as_time("appliedAt")}


@ledger.command("verify")
@as_json
@with_database
def ledger_verify(as_json: bool) -> None:
    """Check the ledger of every account against the rules; list each violation, and exit 1 if there is one."""
    with patience("checking the ledger of every account"):
        found = verify()
    violations = [{"accountId": str(item.account_id), "rule": item.rule, "detail": item.detail} for item in found]
    if as_json or violations:
        show(as_json, violations)
    else:
        click.echo("No violations: the books are right.")
    if violations:
        fail(f"violations: {len(violations)}")


@db.command("upgrade")
@as_json
@with_database
def db_upgrade(as_json: bool) -> None:
    """Apply the missing migrations, and make the missing sessions of MARKET_CALENDAR."""
    try:
        with patience("migrating"):
            applied = migrate.upgrade()
        for name in () if as_json else applied:
            click.echo(f"applied {name}")
        made = make_missing_sessions()
    except ProgrammingError as error:
        fail(
            f"A migration conflicts with tables that exist ({str(error).splitlines()[0]}):"
            " give Tradepost a database of its own."
        )
    if as_json:
        show(as_json, {"applied": applied, "sessionsMade": made.number})
    for line in () if as_json else made.lines:
        click.echo(line)


@db.command("status")
@as_json
@with_database
def db_status(as_json: bool) -> None:
    """List the migrations, each with the time when it was applied."""
    status = migrate.status()
    rows = [{"name": name, "appliedAt": format_timestamp(at) if at else None} for name, at in status]
    show(as_json, rows, MIGRATIONS)
    if not as_json:
        click.echo(_summary([name for name, _ in status], sum(at is None for _, at in status)))


@db.command("prune")
@as_json
@with_database
def db_prune(as_json: bool) -> None:
    """Delete expired events, idempotency keys, recorded prices and candles of minutes.

    If orders are stored by month, make the partitions of the next months, and gather the sums of months that have
    ended. Workers do the same by themselves.
    """
    with patience("deleting"):
        done = delete_what_is_old()
        candles = delete_old_candles(current_app.config["SETTINGS"].candles_kept_days)
        try:
            partitions.add_months()
        except NotSplit as error:
            fail(f"All that is old is deleted, but a month has no partition: {error}.")
        gather_ended()
    show(as_json, {**done._asdict(), "candles": candles})


def _summary(names: list[str], missing: int) -> str:
    """Return whether migrations are missing, and which numbers no migration has."""
    numbers = {int(name[:4]) for name in names}
    gaps = [f"{number:04}" for number in range(1, max(numbers)) if number not in numbers]
    state = (
        f"{missing} of {len(names)} are missing: run `tradepost db upgrade`"
        if missing
        else f"all {len(names)} are applied"
    )
    return f"{state} (no migration has the number {' or '.join(gaps)})" if gaps else state
