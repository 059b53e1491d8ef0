"""The commands on holidays."""

from datetime import date

import click
from flask.cli import AppGroup

from trading.market.calendars import Holiday, import_holidays, remove_holiday
from trading.market.calendars import holidays as find_holidays
from trading.rules.errors import NotFound

from .command_input import record
from .failures import fail, with_database
from .holiday_files import read_holidays
from .options import DAY
from .output import Columns, as_json, show, tell
from .progress import patience
from .session_commands import calendar_name, calendar_option, make_missing_sessions

holidays = AppGroup("holidays", help="Import, list and remove market holidays.")

COLUMNS: Columns = {"CALENDAR": "calendar", "DAY": "day", "WEEKDAY": "weekday", "KIND": "kind", "NAME": "name"}


@holidays.command("import")
@click.argument("path", metavar="FILE.csv", type=click.Path(exists=True, dir_okay=False))
@as_json
@with_database
def holidays_import(path: str, as_json: bool) -> None:
    """Import the holidays of a file with the columns calendar,day,name and optionally kind.

    The kind is TRADING (the default: the market is closed) or SETTLEMENT (it is open, and no trade settles). A day that
    becomes a holiday without trading loses its regular sessions at once. The missing sessions of MARKET_CALENDAR are
    made, to the end of the last year with holidays.
    """
    found = read_holidays(path)
    with patience("saving holidays"):
        import_holidays(found)
    made = make_missing_sessions()
    text = "\n".join([f"{len(found)} holidays read", *made.lines])
    tell(as_json, text, {"read": len(found), "sessionsMade": made.number})


@holidays.command("list")
@click.option("--from", "first", type=DAY, help="The first day. Default: all.")
@click.option("--to", "last", type=DAY, help="The last day. Default: all.")
@calendar_option
@as_json
@with_database
def holidays_list(first: date | None, last: date | None, calendar: str | None, as_json: bool) -> None:
    """List the holidays of a calendar by day."""
    found = find_holidays(calendar_name(calendar), first or date.min, last or date.max)
    show(as_json, [_document(holiday) for holiday in found], COLUMNS)


@holidays.command("remove")
@click.argument("day", type=DAY)
@calendar_option
@as_json
@with_database
def holidays_remove(day: date, calendar: str | None, as_json: bool) -> None:
    """Remove a holiday: its day is traded again, if it is a weekday."""
    name = calendar_name(calendar)
    record("holiday.remove", {"calendar": name, "day": day})
    try:
        removed = remove_holiday(name, day)
    except NotFound:
        fail(f"{day} is no holiday of {name}: `tradepost holidays list` shows them.")
    tell(as_json, f"{removed.day} ({removed.name}) is no holiday of {name} any more", _document(removed))


def _document(holiday: Holiday) -> dict[str, str]:
    return {
        "calendar": holiday.calendar,
        "day": str(holiday.day),
        "weekday": f"{holiday.day:%A}",
        "kind": holiday.kind,
        "name": holiday.name,
    }
