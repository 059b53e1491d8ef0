"""Settlement: once a day the quantities of deliveries move on through their settlement buckets.

Who reads a position or sells from it moves its settlement buckets on by himself (trading.rules.settlement), so that
nobody waits for this job: it writes the same settlement buckets down, so that they are few days behind.
"""

import time
from collections.abc import Sequence
from datetime import date
from datetime import time as time_of_day
from typing import NamedTuple
from uuid import UUID

from config import settings
from models.database import array_of, fetch_all, session, transactional
from models.rows import PositionRow
from runtime.logs import get_logger
from trading.accounts.ledgers import lock_free_ledgers
from trading.accounts.position_rows import bucket_values, update_buckets
from trading.day import jobs
from trading.day.jobs import Progress
from trading.market.clock import market_time
from trading.market.trading_days import trading_days
from trading.rules.sessions import at_indian_time, indian_day
from trading.rules.settlement import Buckets, SettlementDays, last_trading_day, rolled

logger = get_logger(__name__)

MAX_POSITIONS = 500  # of one transaction
MAX_OF_ACCOUNT = 50  # of them, so that nobody waits for an account for long
PAUSE_S = 0.05
PASS_S = 3.0
NAME = "settlement"

# One walk through all accounts. The last condition finds what the release before this one has bought or sold.
DUE = """
SELECT account_id, id FROM position
WHERE (account_id, id) > (%(account)s, %(position)s) AND product = 'DELIVERY' AND bucket_day IS NOT NULL AND (
    today_quantity > 0 AND bucket_day < %(trading_day)s
    OR t1_quantity > 0 AND t1_settles_on < %(day)s
    OR today_quantity + t1_quantity + later_quantity + settled_quantity <> quantity)
ORDER BY account_id, id LIMIT %(limit)s
"""
LOCK = """
SELECT * FROM position WHERE id = ANY(%s::uuid[]) AND account_id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""
FIRST = UUID(int=0)


class Place(NamedTuple):
    """A position's place in the walk."""

    account_id: UUID
    id: UUID


class Settlement(NamedTuple):
    """The numbers of positions that were moved on, and of those that are left: busy accounts, or no more time."""

    settled: int
    left: int


def run_once(*, patience_s: float = jobs.PATIENCE_S) -> bool:
    """Settle the present day as far as it is not settled; return True if it is done.

    A missed day needs nothing of its own. Raises DatabaseUnavailable.
    """
    return jobs.run_daily(NAME, indian_day(market_time()), _work, patience_s=patience_s)


def behind_s() -> float:
    """Return the seconds since the beginning of a day that is not settled, 0 if it is; raises DatabaseUnavailable."""
    now = market_time()
    if jobs.is_done(NAME, indian_day(now)):
        return 0.0
    return (now - at_indian_time(indian_day(now), time_of_day())).total_seconds()


def _work() -> Progress:
    """Settle for some seconds."""
    settled, left = settle(settings().market_calendar, limit_s=PASS_S)
    if settled:
        logger.info("settled", positions=settled, left=left)
    if not left:
        return Progress.DONE
    return Progress.MORE if settled else Progress.LATER


def settle(calendar: str | None, *, limit_s: float) -> Settlement:
    """Move the settlement buckets of all deliveries on to this day; busy accounts are tried again until the limit.

    It may end anywhere and be run again: what is done is not due any more.
    """
    day, days, end = indian_day(market_time()), trading_days(calendar), time.monotonic() + limit_s
    total, busy = _walk(day, days, end)
    while busy and time.monotonic() + PAUSE_S < end:
        time.sleep(PAUSE_S)
        settled, busy = _walk(day, days, end)
        total += settled
    return Settlement(total, busy)


def _walk(day: date, days: SettlementDays, end: float) -> Settlement:
    """Move on the positions that are due and free; those that are left when the time is over count as busy."""
    settled, busy, last = 0, 0, Place(FIRST, FIRST)
    asked = {"trading_day": last_trading_day(day, days), "day": day, "limit": MAX_POSITIONS}
    while True:
        with session():
            due = _cut(
                [Place(**row) for row in fetch_all(DUE, asked | {"account": last.account_id, "position": last.id})]
            )
        if not due:
            return Settlement(settled, busy)
        if time.monotonic() >= end:
            return Settlement(settled, busy + len(due))
        moved = _move_on(due, day, days)
        settled, busy, last = settled + moved, busy + len(due) - moved, due[-1]


def _cut(due: list[Place]) -> list[Place]:
    """Return the positions up to the first account that has too many of them."""
    counts: dict[UUID, int] = {}
    for index, place in enumerate(due):
        counts[place.account_id] = counts.get(place.account_id, 0) + 1
        if counts[place.account_id] > MAX_OF_ACCOUNT:
            return due[:index]
    return due


@transactional
def _move_on(due: Sequence[Place], day: date, days: SettlementDays) -> int:
    """Move the settlement buckets on of those of these positions whose accounts are free, and return their number."""
    accounts = lock_free_ledgers(place.account_id for place in due)
    ids = array_of(place.id for place in due if place.account_id in accounts)
    rows = fetch_all(LOCK, (ids, array_of(accounts)), PositionRow)
    rolled_on = [rolled(Buckets.of_row(row, day), day, days) for row in rows]
    update_buckets(
        [(row["id"], row["account_id"], *bucket_values(its)) for row, its in zip(rows, rolled_on, strict=True)]
    )
    return len(rows)
