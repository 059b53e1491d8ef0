"""The commands on the work that is done once a day."""

from datetime import date

import click
from flask.cli import AppGroup

from models import buckets
from schemas.fields import format_timestamp
from trading.day import jobs as job_runs
from trading.day.daily import do_daily_work
from trading.day.jobs import JobRun

from .failures import fail, with_database
from .options import DAY
from .output import Columns, as_json, short_time, show, tell
from .progress import patience

jobs = AppGroup("jobs", help="Do, list, skip and repeat the work of a day.")

COLUMNS: Columns = {"DAY": "day", "WORK": "name", "STATE": "state", "BEGAN (IST)": "began", "ENDED (IST)": "ended"}


@jobs.command("list")
@click.option("--since", type=DAY, help="The first day. Default: all days.")
@as_json
@with_database
def jobs_list(since: date | None, as_json: bool) -> None:
    """List the newest work of days, the latest day first."""
    runs = job_runs.list_runs(since or date.min)
    show(as_json, [_document(run) if as_json else _line(run) for run in runs], COLUMNS)


@jobs.command("run")
@as_json
@with_database
def jobs_run(as_json: bool) -> None:
    """Do the daily work that is not done yet, as workers do by themselves."""
    with patience("doing the work of the day"):
        are_done = buckets.in_each(do_daily_work)
    show(as_json, {"done": all(are_done)})


@jobs.command("skip")
@click.argument("day", type=DAY)
@click.argument("name")
@as_json
@with_database
def jobs_skip(day: date, name: str, as_json: bool) -> None:
    """Let the work of a day count as done, for example: skip 2026-11-02 "square-off NORMAL"."""
    if not job_runs.skip(name, day):
        fail(f"{name} of {day} is done already.")
    tell(as_json, f"{name} of {day} counts as done", {"day": str(day), "name": name})


@jobs.command("repeat")
@click.argument("day", type=DAY)
@click.argument("name")
@as_json
@with_database
def jobs_repeat(day: date, name: str, as_json: bool) -> None:
    """Let the work of a day be due again."""
    if not job_runs.repeat(name, day):
        fail(f"{name} of {day} is not done.")
    tell(as_json, f"{name} of {day} is due again", {"day": str(day), "name": name})


def _line(run: JobRun) -> dict[str, object]:
    state = "skipped" if run["detail"].get("skipped") else "done" if run["finished_at"] else "not done"
    began, ended = (short_time(at.isoformat() if at else None) for at in (run["started_at"], run["finished_at"]))
    return {"day": run["day"], "name": run["name"], "state": state, "began": began, "ended": ended}


def _document(run: JobRun) -> dict[str, object]:
    finished_at = run["finished_at"]
    return {
        "day": str(run["day"]),
        "name": run["name"],
        "startedAt": format_timestamp(run["started_at"]),
        "finishedAt": format_timestamp(finished_at) if finished_at else None,
        "detail": run["detail"],
    }
