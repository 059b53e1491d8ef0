"""Orders and ledger entries by month: split the two tables into partitions.

An order lies in the month of its id, an entry in that of its time, by India's calendar. Each partition has indexes of
its own, and the whole has none: ids grow with time, and an account counts its entries, so that an index of each month
suffices. See docs/decisions/partitions.md.
"""

import functools
import re
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from peewee import IntegrityError, OperationalError

from models import buckets
from models.database import db, execute, fetch_all, fetch_one, session, sqlstate, unbounded
from models.identifiers import version_7
from models.migrate import LOCK_KEY, LOCK_PAUSE_S, LOCK_STATES

INDIA = ZoneInfo("Asia/Kolkata")
KEYS = {"trading_order": "id", "fund_transaction": "created_at"}
BEFORE, REST = "before", "rest"  # all before the first month, and rows of a month that has no partition yet
# Other statements wait behind one that waits for a table: half a second at a time.
LOCK_TIMEOUT_MS = 500
LOCK_ATTEMPTS = 80

PARTITIONS = """
SELECT relname AS name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid WHERE inhparent = %s::regclass
"""
IS_SPLIT = "SELECT relkind = 'p' AS is_split FROM pg_class WHERE oid = 'trading_order'::regclass"
TRIGGERS = """
SELECT tgname AS name, tgtype & 1 = 1 AS is_of_rows, pg_get_triggerdef(oid) AS text
FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal AND tgparentid = 0
"""
REFERENCES = """
SELECT conname AS name, pg_get_constraintdef(oid) AS text
FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f' AND conparentid = 0
"""
OPTIONS = "SELECT array_to_string(reloptions, ', ') AS options FROM pg_class WHERE oid = %s::regclass"
TODAY = "SELECT (market_now() AT TIME ZONE 'Asia/Kolkata')::date AS today"
SHAPE = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED INCLUDING STORAGE"


class NotSplit(Exception):
    """The tables cannot be split, or a month cannot be detached; the message is one line with the reason."""


class Month(NamedTuple):
    """A month by India's calendar; `number` counts from 1."""

    year: int
    number: int

    @classmethod
    def of(cls, day: date) -> "Month":
        """Return the month of a day."""
        return cls(day.year, day.month)

    @property
    def following(self) -> "Month":
        """Return the next month."""
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    @property
    def begins_at(self) -> datetime:
        """Return its first moment."""
        return datetime(self.year, self.number, 1, tzinfo=INDIA)

    @property
    def suffix(self) -> str:
        """Return the end of its partitions' names."""
        return f"{self.year:04}_{self.number:02}"

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"


def first_order_id(month: Month) -> UUID:
    """Return the smallest id that an order of this month or a later one can have."""
    return version_7(int(month.begins_at.timestamp() * 1000), 0)


def is_split() -> bool:
    """Return True if orders and ledger entries are stored by month; needs an open session."""
    row = fetch_one(IS_SPLIT)
    return row is not None and bool(row["is_split"])


def attached() -> list[Month]:
    """Return the months that have partitions, the oldest first; needs an open session."""
    names = [row["name"] for row in fetch_all(PARTITIONS, ("trading_order",))]
    found = [re.fullmatch(r"trading_order_(\d{4})_(\d{2})", name) for name in names]
    return sorted(Month(int(match[1]), int(match[2])) for match in found if match)


def has_before() -> bool:
    """Return True if the orders from before the first month are attached; needs an open session."""
    return any(row["name"] == f"trading_order_{BEFORE}" for row in fetch_all(PARTITIONS, ("trading_order",)))


def split(first: Month | None = None) -> list[Month]:
    """Split both tables at the beginning of a month, the next one by default, and return the months made.

    The rows that are there become one partition, and stay where they are. Tables that are split get the missing
    partitions. The service may run: it waits while the two tables are read once. Each bucket of accounts is split.
    Raises NotSplit.
    """
    return sorted(set[Month]().union(*buckets.in_each(lambda: _split_bucket(first))))


def _split_bucket(first: Month | None) -> list[Month]:
    with unbounded():
        today = _today()
        if is_split():
            if first is not None:
                raise NotSplit("the tables are split by month already")
        else:
            patiently(functools.partial(_split_all, first or Month.of(today).following))
        return _add_missing(today)


def add_months() -> list[Month]:
    """Make the partition of the next month if the tables are split, in each bucket; return the months made."""
    made = set[Month]()
    for _ in buckets.each():
        with session():
            made.update(_add_missing(_today()) if is_split() else ())
    return sorted(made)


def patiently(work: Callable[[], None]) -> None:
    """Do work in a transaction, or in a savepoint; begin again as long as a table is not free, for two minutes.

    Raises NotSplit if a partition does not hold its rows.
    """
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            with db.atomic():
                execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
                work()
            return
        except IntegrityError as error:
            raise NotSplit(f"a partition begins before a row of another one ({str(error).splitlines()[0]})") from None
        except OperationalError as error:
            if attempt == LOCK_ATTEMPTS or sqlstate(error) not in LOCK_STATES:
                raise
            time.sleep(LOCK_PAUSE_S)


def alone() -> None:
    """Keep migrations and other work on months away for the rest of the transaction; raises NotSplit."""
    row = fetch_one("SELECT pg_try_advisory_xact_lock(%s) AS taken", (LOCK_KEY,))
    if not (row and row["taken"]):
        raise NotSplit("a migration, or other work on months, is running: try again after it")


def _today() -> date:
    row = fetch_one(TODAY)
    assert row is not None
    today: date = row["today"]
    return today


def _split_all(first: Month) -> None:
    alone()
    # An entry may belong to an order of an earlier month, which is detached before the entry's own month is.
    execute("ALTER TABLE fund_transaction DROP CONSTRAINT fund_transaction_order_id_fkey")
    for table in KEYS:
        _split(table, first)
        _add(table, REST, "DEFAULT")


def _split(table: str, first: Month) -> None:
    """Put a partitioned table in the place of a table, which becomes its partition of all before a month."""
    before = f"{table}_{BEFORE}"
    # Read before the renaming: the texts name the table.
    triggers, references = fetch_all(TRIGGERS, (table,)), fetch_all(REFERENCES, (table,))
    for trigger in triggers:
        if trigger["is_of_rows"]:  # the whole passes these on to its partitions
            execute(f"DROP TRIGGER {trigger['name']} ON {table}")
    execute(f"ALTER TABLE {table} RENAME TO {before}")
    execute(f"CREATE TABLE {table} (LIKE {before} {SHAPE}) PARTITION BY RANGE ({KEYS[table]})")
    for reference in references:  # before the partition comes, whose own are taken over without a check of its rows
        execute(f"ALTER TABLE {table} ADD CONSTRAINT {reference['name']} {reference['text']}")
    for trigger in triggers:
        execute(trigger["text"].replace("%", "%%"))
    execute(f"ALTER TABLE {table} ATTACH PARTITION {before} FOR VALUES FROM (MINVALUE) TO ('{_bound(table, first)}')")


def _add_missing(today: date) -> list[Month]:
    """Make the partitions up to the month after that of a day; return the months made.

    One ahead is enough, since workers come every ten minutes: each partition makes plans longer.
    """
    last, made = Month.of(today).following, list[Month]()
    month = _first_missing()
    while month <= last:
        patiently(functools.partial(_add_month, month))
        made.append(month)
        month = month.following
    return made


def _first_missing() -> Month:
    months = attached()
    if months:
        return months[-1].following
    row = fetch_one(
        "SELECT pg_get_expr(relpartbound, oid) AS bounds FROM pg_class WHERE oid = %s::regclass",
        (f"fund_transaction_{BEFORE}",),
    )
    assert row is not None
    end = re.search(r"TO \('([^']+)'\)", row["bounds"])
    assert end is not None
    return Month.of((datetime.fromisoformat(end[1]) + timedelta(hours=12)).astimezone(INDIA).date())


def _add_month(month: Month) -> None:
    alone()
    if month in attached():  # another worker was faster
        return
    for table in KEYS:
        bounds = f"FROM ('{_bound(table, month)}') TO ('{_bound(table, month.following)}')"
        _add(table, month.suffix, f"FOR VALUES {bounds}")


def _add(table: str, suffix: str, bounds: str) -> None:
    """Make a partition with the indexes, the options and the guards of another one."""
    name = f"{table}_{suffix}"
    like = next(row["name"] for row in fetch_all(PARTITIONS + " ORDER BY relname", (table,)))
    execute(f"CREATE TABLE {name} (LIKE {like} INCLUDING ALL)")
    if (row := fetch_one(OPTIONS, (like,))) and row["options"]:
        execute(f"ALTER TABLE {name} SET ({row['options']})")
    for trigger in fetch_all(TRIGGERS, (table,)):
        if not trigger["is_of_rows"]:
            execute(trigger["text"].replace(f".{table} ", f".{name} ").replace(f"ON {table} ", f"ON {name} "))
    execute(f"ALTER TABLE {table} ATTACH PARTITION {name} {bounds}")


def _bound(table: str, month: Month) -> str:
    return str(first_order_id(month)) if KEYS[table] == "id" else month.begins_at.isoformat()
