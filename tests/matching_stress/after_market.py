"""After-market orders of a run: placed for a session of a later day, and released by others than their placers."""

import itertools
import time
from collections import defaultdict
from collections.abc import Iterator

from tests.matching_stress.connection import Link
from tests.support.sessions import close_market
from trading.day import release

CALENDAR = "NSE"
SOME = """
SELECT id, account_id, stock_id FROM trading_order WHERE waiting_for = 'session' ORDER BY random() LIMIT 1
"""
# An order that others of its account follow.
HOLD = """
SELECT id FROM trading_order WHERE waiting_for = 'session' ORDER BY account_id, placed_at LIMIT 1
FOR NO KEY UPDATE SKIP LOCKED
"""
RELEASES = """
SELECT step.id AS step, step.writer::text AS writer, trading_order.id, account_id, placed_at
FROM stress.step JOIN trading_order ON trading_order.id = order_id
WHERE kind = 'release' ORDER BY placed_at, trading_order.id
"""


def prepare() -> None:
    """Let a calendar be closed until a later day, for the placements that use it."""
    close_market()


def release_some() -> int:
    """Release some of the waiting orders, as in a market that is open now; return their number."""
    return release.run_once(20, calendar=None)


def hold_one(link: Link, seconds: float) -> None:
    """Hold the row of a waiting order, so that a release has to leave the later ones of its account."""
    with link.transaction():
        link.rows(HOLD)
        time.sleep(seconds)


def out_of_turn(link: Link) -> Iterator[str]:
    """Find orders that were released before an earlier one of their account."""
    by_account = defaultdict(list)
    for row in link.rows(RELEASES):
        by_account[row["account_id"]].append(row)
    for released in by_account.values():
        for before, after in itertools.pairwise(released):
            # Within one transaction the steps have no order.
            if after["step"] < before["step"] and after["writer"] != before["writer"]:
                yield f"order {after['id']} was released before {before['id']}, which was placed earlier"
