"""The commands on the sessions of a market: make them, show them, and import exceptions."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import click
from flask import current_app
from flask.cli import AppGroup

from api.http.errors import HttpRefusal
from schemas.calendars import CALENDARS, SessionSchema
from trading.market.calendars import (
    add_missing_sessions,
    find_sessions,
    import_sessions,
    last_known_day,
    make_sessions,
    today,
)
from trading.rules.sessions import INDIAN_TIME, Session, at_indian_time
from trading.rules.terms import SessionClass

from .command_input import at_line, load_row, take_columns
from .csv_input import open_csv
from .failures import fail, with_database
from .options import DAY
from .output import Columns, as_json, show, tell
from .progress import patience, reading

sessions = AppGroup("sessions", help="Make, list and import the sessions of a market.")

SESSION = SessionSchema()

COLUMNS: Columns = {
    "DAY": "day",
    "CLASS": "class",
    "OPENS": "opensAt",
    "CLOSES": "closesAt",
    "SQUARE-OFF": "squareOffAt",
    "KIND": "kind",
}
calendar_option = click.option(
    "--calendar", type=click.Choice(CALENDARS), help="Default: MARKET_CALENDAR, or NSE if it is not set."
)


@sessions.command("make")
@click.option("--from", "first", type=DAY, help="The first day. Default: today.")
@click.option("--to", "last", type=DAY, help="The last day. Default: the end of the last year with known holidays.")
@calendar_option
@as_json
@with_database
def sessions_make(first: date | None, last: date | None, calendar: str | None, as_json: bool) -> None:
    """Make the regular sessions of all classes of stocks from the dated defaults and the imported holidays.

    Regular sessions that these days have are made anew; imported exceptions stay. Without --to no year begins whose
    holidays are not known, but this year is always made.
    """
    name = calendar_name(calendar)
    begin = first or today()
    end = last or last_known_day(name)
    if end < begin:
        fail(f"--to {end} is before --from {begin}.")
    with patience("making sessions"):
        count = make_sessions(name, begin, end)
    document = {"sessions": count, "from": str(begin), "to": str(end)}
    tell(as_json, f"{count} sessions from {begin} to {end}", document)


@sessions.command("show")
@click.option("--from", "first", type=DAY, help="The first day. Default: today.")
@click.option("--to", "last", type=DAY, help="The last day. Default: all that are known.")
@calendar_option
@as_json
@with_database
def sessions_show(first: date | None, last: date | None, calendar: str | None, as_json: bool) -> None:
    """List the sessions that take place, in Indian time: day, class, opening, close, square-off, kind."""
    begin, end = first or today(), last or date.max
    show(as_json, [_shown(session) for session in find_sessions(calendar_name(calendar), begin, end)], COLUMNS)


@sessions.command("import")
@click.argument("path", metavar="FILE.csv", type=click.Path(exists=True, dir_okay=False))
@as_json
@with_database
def sessions_import(path: str, as_json: bool) -> None:
    """Import sessions that are exceptions, such as Muhurat trading, in the place of those of their day and class.

    The file has the columns calendar,day,opensAt,closesAt and optionally class,squareOffAt,kind. Times are Indian.
    Without a class a line holds for all classes; without squareOffAt nothing is squared off.
    """
    given: dict[str, list[Session]] = {}
    with open_csv(path) as file, reading(file, file.lines) as lines:
        take_columns(file, SESSION)
        for number, line in lines:
            try:
                row = load_row(SESSION, file.row(line))
            except HttpRefusal as refusal:
                raise at_line(number, refusal) from None
            given.setdefault(row["calendar"], []).extend(_sessions_of(row))
    with patience("saving sessions"):
        count = sum(import_sessions(calendar, found) for calendar, found in given.items())
    tell(as_json, f"{count} sessions read", {"sessions": count})


class MadeSessions(NamedTuple):
    """The number of sessions that were made, and the lines that tell of it."""

    number: int = 0
    lines: Sequence[str] = ()


def make_missing_sessions() -> MadeSessions:
    """Make the missing sessions of MARKET_CALENDAR, if it is set."""
    calendar = current_app.config["SETTINGS"].market_calendar
    if calendar is None:
        return MadeSessions()
    with patience("making the missing sessions"):
        count = add_missing_sessions(calendar)
    return MadeSessions(count, [f"{count} sessions made, to {last_known_day(calendar)}"] if count else [])


def calendar_name(name: str | None) -> str:
    """Return the name of a calendar: that of MARKET_CALENDAR, or else NSE, if none is given."""
    return name or current_app.config["SETTINGS"].market_calendar or CALENDARS[0]


def _sessions_of(row: Mapping[str, Any]) -> list[Session]:
    opens_at, closes_at, square_off_at = (
        None if row[name] is None else at_indian_time(row["day"], row[name])
        for name in ("opens_at", "closes_at", "square_off_at")
    )
    assert opens_at is not None
    assert closes_at is not None
    classes = [row["session_class"]] if row["session_class"] else list(SessionClass)
    return [Session(row["day"], name, opens_at, closes_at, square_off_at, row["kind"]) for name in classes]


def _shown(session: Session) -> dict[str, Any]:
    opens_at, closes_at, square_off_at = (
        None if moment is None else moment.astimezone(INDIAN_TIME).isoformat()
        for moment in (session.opens_at, session.closes_at, session.square_off_at)
    )
    return {
        "day": str(session.day),
        "class": session.session_class,
        "opensAt": opens_at,
        "closesAt": closes_at,
        "squareOffAt": square_off_at,
        "kind": session.kind,
    }
