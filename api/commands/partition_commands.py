"""The commands that store orders and ledger entries by month, and take the oldest month out of the way."""

import click
from flask.cli import with_appcontext

from models import partitions
from models.partitions import Month, NotSplit
from trading.upkeep.detaching import detach_oldest
from trading.upkeep.gathering import CannotDetach

from .failures import fail, with_database
from .options import MONTH
from .output import as_json, show
from .progress import patience


@click.command("partition")
@click.option("--first", type=MONTH, help="The first month with a partition of its own. Default: the next month.")
@as_json
@with_appcontext
@with_database
def partition(first: Month | None, as_json: bool) -> None:
    """Store orders and ledger entries by month from the next month on, or make the partitions that are missing.

    The rows that are there become one partition. The service waits while both tables are read once. Workers make
    the partitions of later months.
    """
    try:
        with patience("splitting the tables"):
            made = partitions.split(first)
    except NotSplit as error:
        fail(f"Nothing has changed: {error}.")
    show(as_json, {"monthsMade": [str(month) for month in made]} if as_json else _told(made))


@click.command("detach")
@as_json
@with_appcontext
@with_database
def detach(as_json: bool) -> None:
    """Detach the oldest month of orders and ledger entries: lists no longer show it, and the ledger check goes on.

    Its rows stay in tables of their own, to be dumped and dropped by hand.
    """
    try:
        with patience("detaching the oldest month"):
            done = detach_oldest()
    except CannotDetach as error:
        fail(f"Not detached: {error}.")
    tables = list(done.tables) if as_json else ", ".join(done.tables)
    show(as_json, {"month": str(done.month) if done.month else None, "tables": tables, "bytes": done.bytes})


def _told(made: list[Month]) -> dict[str, str]:
    return {"monthsMade": ", ".join(str(month) for month in made) or "none"}
