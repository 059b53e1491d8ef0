"""The commands on the work that is done once a day."""

from datetime import date, datetime

import click
from flask.cli import AppGroup

from schemas.fields import format_timestamp
from trading.day import jobs as job_runs
from trading.day.daily import do_daily_work
from trading.day.jobs import JobRun

from .failures import fail, with_database
from .output import as_json, show

jobs = AppGroup("jobs", help="Do, list, skip and repeat the work of a day.")

A_DAY = click.DateTime(["%Y-%m-%d"])


@jobs.command("list")
@click.option("--since", type=A_DAY, help="The first day. Default: all days.")
@as_json
@with_database
def jobs_list(since: datetime | None, as_json: bool) -> None:
    """List the newest work of days, the latest day first."""
    runs = job_runs.list_runs(since.date() if since else date.min)
    show(as_json, [_document(run) if as_json else _line(run) for run in runs])


@jobs.command("run")
@as_json
@with_database
def jobs_run(as_json: bool) -> None:
    """Do the daily work that is not done yet, as workers do by themselves."""
    show(as_json, {"done": do_daily_work()})


@jobs.command("skip")
@click.argument("day", type=A_DAY)
@click.argument("name")
@with_database
def jobs_skip(day: datetime, name: str) -> None:
    """Let the work of a day count as done, for example: skip 2026-11-02 "square-off NORMAL"."""
    if not job_runs.skip(name, day.date()):
        fail(f"{name} of {day.date()} is done already.")
    click.echo(f"{name} of {day.date()} counts as done")


@jobs.command("repeat")
@click.argument("day", type=A_DAY)
@click.argument("name")
@with_database
def jobs_repeat(day: datetime, name: str) -> None:
    """Let the work of a day be due again."""
    if not job_runs.repeat(name, day.date()):
        fail(f"{name} of {day.date()} is not done.")
    click.echo(f"{name} of {day.date()} is due again")


def _line(run: JobRun) -> dict[str, object]:
    state = "skipped" if run["detail"].get("skipped") else "done" if run["finished_at"] else "not done"
    times = [format_timestamp(at) if at else "-" for at in (run["started_at"], run["finished_at"])]
    return {"day": run["day"], "name": f"{run['name']:<18}", "state": f"{state:<8}", "times": "  ".join(times)}


def _document(run: JobRun) -> dict[str, object]:
    finished_at = run["finished_at"]
    return {
        "day": str(run["day"]),
        "name": run["name"],
        "startedAt": format_timestamp(run["started_at"]),
        "finishedAt": format_timestamp(finished_at) if finished_at else None,
        "detail": run["detail"],
    }
