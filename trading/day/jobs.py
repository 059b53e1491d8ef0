"""Work that is done once a day, as rows of `job_run`: a process claims it, and another one takes over if that dies.

The row says whether the work of a day is done, so that restarts, two workers and a missed day do it once. Work must be
repeatable all the same: a claim ends after LEASE, whether its process has died or is only slow.
"""

import itertools
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from enum import Enum
from operator import itemgetter
from typing import Any, TypedDict

from models import buckets
from models.database import execute, fetch_all, fetch_one, session, transactional
from models.routing import session_of_all
from models.spanning import each_in_transaction
from runtime.logs import get_logger

LEASE = timedelta(seconds=15)
PATIENCE_S = 5.0
LISTED = 100

logger = get_logger(__name__)

# Work that was finished before its time is due again: its session was moved to later hours meanwhile.
IS_DONE = """
(run.finished_at IS NOT NULL
    AND (run.detail @> '{"skipped": true}' OR coalesce(run.finished_at >= %(due_at)s::timestamptz, true)))
"""
READ = f"SELECT {IS_DONE} AS is_done FROM job_run AS run WHERE day = %(day)s AND name = %(name)s"
# The claim goes by the machine's clock: a replay's clock stands still while a process works. It is read beforehand,
# because Citus lets no condition of an ON CONFLICT read it: another claim may be a little later. One that lies much
# further in the future is void, because the clock was set back.
CLOCK = "SELECT clock_timestamp() AS now"
CLAIM = f"""
INSERT INTO job_run AS run (day, name, claimed_until) VALUES (%(day)s, %(name)s, %(until)s)
ON CONFLICT (day, name) DO UPDATE SET claimed_until = excluded.claimed_until
WHERE NOT {IS_DONE} AND (run.claimed_until IS NULL OR run.claimed_until <= %(now)s OR run.claimed_until > %(void)s)
RETURNING true AS is_ours
"""
EXTEND = "UPDATE job_run SET claimed_until = statement_timestamp() + %s WHERE day = %s AND name = %s"
RELEASE = f"""
UPDATE job_run AS run SET claimed_until = NULL,
    finished_at = CASE WHEN %(is_done)s THEN CASE WHEN {IS_DONE} THEN finished_at ELSE (SELECT statement_now()) END END
WHERE day = %(day)s AND name = %(name)s
"""
SKIP = """
INSERT INTO job_run (day, name, finished_at, detail) VALUES (%s, %s, market_now(), '{"skipped": true}')
ON CONFLICT (day, name) DO UPDATE SET finished_at = excluded.finished_at, claimed_until = NULL,
    detail = job_run.detail || excluded.detail
WHERE job_run.finished_at IS NULL
"""
REPEAT = """
UPDATE job_run SET finished_at = NULL, claimed_until = NULL, detail = detail - 'skipped'
WHERE day = %s AND name = %s AND finished_at IS NOT NULL
"""
LIST = "SELECT * FROM job_run WHERE day >= %s ORDER BY day DESC, name LIMIT %s"


class Progress(Enum):
    """The state of a day's work after a part of it: done, to be gone on with at once, or at the next tick."""

    DONE = "done"
    MORE = "more"
    LATER = "later"


class JobRun(TypedDict):
    """A row of `job_run`."""

    day: date
    name: str
    started_at: datetime
    claimed_until: datetime | None
    finished_at: datetime | None
    detail: dict[str, Any]


def run_daily(
    name: str,
    day: date,
    work: Callable[[], Progress | None],
    *,
    due_at: datetime | None = None,
    patience_s: float = PATIENCE_S,
) -> bool:
    """Do the work of a day unless it is done or another process does it; return True if it is done.

    Work that was done before due_at is due again. It is called again while it returns MORE, until patience_s are over,
    and at the next tick after LATER. None is DONE. Each call should take a few seconds at most. If it raises, the claim
    ends, and the work is due again.
    """
    if is_done(name, day, due_at=due_at):
        return True
    if not _claim(name, day, due_at):
        return False
    end, progress = time.monotonic() + patience_s, Progress.MORE
    try:
        while progress is Progress.MORE:
            progress = work() or Progress.DONE
            if progress is Progress.MORE and not (time.monotonic() < end and _extend(name, day)):
                break
    finally:
        _release(name, day, due_at, is_done=progress is Progress.DONE)
    if progress is Progress.DONE:
        logger.info("daily_work_done", work=name, day=str(day))
    return progress is Progress.DONE


def is_done(name: str, day: date, *, due_at: datetime | None = None) -> bool:
    """Return True if the work of a day is skipped, or done and not before its time."""
    with session():
        row = fetch_one(READ, {"name": name, "day": day, "due_at": due_at})
    return row is not None and bool(row["is_done"])


def skip(name: str, day: date) -> bool:
    """Let the work of a day count as done in all buckets; return False if it was."""
    return any(buckets.in_each(lambda: _change(SKIP, (day, name))))


def repeat(name: str, day: date) -> bool:
    """Let the work of a day be due again in all buckets; return False if it was not done in any."""
    return any(buckets.in_each(lambda: _change(REPEAT, (day, name))))


def list_runs(since: date) -> list[JobRun]:
    """Return the newest runs of the days since one, the latest day first; one stands for those of all buckets."""
    with session_of_all():
        lists = [fetch_all(LIST, (since, LISTED), JobRun) for _ in each_in_transaction()]
    if len(lists) == 1:
        return lists[0]
    found: dict[tuple[date, str], list[JobRun]] = {}
    for run in itertools.chain(*lists):
        found.setdefault((run["day"], run["name"]), []).append(run)
    runs = sorted(map(_joined, found.values()), key=itemgetter("name"))
    return sorted(runs, key=itemgetter("day"), reverse=True)[:LISTED]


def _joined(parts: Sequence[JobRun]) -> JobRun:
    """Return the run of all buckets, given those of the buckets that have begun: it is done when each of them is."""
    claims = [part["claimed_until"] for part in parts if part["claimed_until"] is not None]
    ends = [part["finished_at"] for part in parts if part["finished_at"] is not None]
    detail = {name: value for part in parts for name, value in part["detail"].items()}
    if not all(part["detail"].get("skipped") for part in parts):
        detail.pop("skipped", None)
    return JobRun(
        day=parts[0]["day"],
        name=parts[0]["name"],
        started_at=min(part["started_at"] for part in parts),
        claimed_until=max(claims, default=None),
        finished_at=max(ends) if len(ends) == len(buckets.shards()) else None,
        detail=detail,
    )


@transactional
def _claim(name: str, day: date, due_at: datetime | None) -> bool:
    (clock,) = fetch_all(CLOCK)
    until = clock["now"] + LEASE
    given = {"day": day, "name": name, "due_at": due_at, "now": clock["now"], "until": until, "void": until + LEASE}
    return bool(fetch_all(CLAIM, given))


def _extend(name: str, day: date) -> bool:
    return _change(EXTEND, (LEASE, day, name))


def _release(name: str, day: date, due_at: datetime | None, *, is_done: bool) -> None:
    _change(RELEASE, {"day": day, "name": name, "due_at": due_at, "is_done": is_done})


@transactional
def _change(statement: str, parameters: tuple[Any, ...] | dict[str, Any]) -> bool:
    return execute(statement, parameters) > 0
