"""The detaching of whole months, and the ledger check after it."""

import time
from typing import Any

from bench.growth.sides import Side
from models.database import fetch_one, session
from models.partitions import KEYS
from trading.upkeep.detaching import detach_oldest
from trading.upkeep.gathering import CannotDetach, gather_ended
from trading.upkeep.verify import verify


def detach_months(full: Side) -> list[dict[str, Any]]:
    """Detach every month that may be detached; return for each its rows, the seconds that it took and the violations.

    Their sums are gathered before, as workers do. `locked_s` is the part of the time in which nobody else could use
    the two tables.
    """
    full.enter()
    began = time.monotonic()
    gather_ended()
    print(f"the sums of the months were gathered in {time.monotonic() - began:.1f} s")
    found: list[dict[str, Any]] = []
    while True:
        began = time.monotonic()
        try:
            done = detach_oldest()
        except CannotDetach as error:
            print(error)
            return found
        seconds = time.monotonic() - began
        began = time.monotonic()
        violations = len(verify())
        found.append(
            {
                "month": str(done.month),
                "rows": dict(zip(KEYS, map(_count, done.tables), strict=True)),
                "seconds": round(seconds, 3),
                "locked_s": round(done.locked_s, 4),
                "verify_s": round(time.monotonic() - began, 1),
                "violations": violations,
            }
        )


def _count(table: str) -> int:
    with session():
        row = fetch_one(f"SELECT count(*) AS rows FROM {table}")
    assert row is not None
    return int(row["rows"])
