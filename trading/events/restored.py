"""After a restored backup: the numbers of the events that it lacks, so that their listeners are reset."""

from collections.abc import Mapping
from uuid import UUID

from models.database import array_of, execute, fetch_all, transactional
from models.spanning import each_in_transaction

# Numbers that were lost before may be the higher ones.
NEWEST = """
SELECT id, greatest(last_event_id, (SELECT max(last_id) FROM lost_event WHERE account_id = account.id)) AS newest
FROM account
"""
# The restored events end at last_event_id. A number above it stands for another event soon.
KEEP_NUMBERS = """
INSERT INTO lost_event (account_id, first_id, last_id)
SELECT id, last_event_id + 1, coalesce(known.newest, last_event_id + %(unknown)s)
FROM account
LEFT JOIN unnest(%(accounts)s::uuid[], %(newest)s::bigint[]) AS known (account_id, newest) ON account_id = account.id
WHERE coalesce(known.newest, last_event_id + %(unknown)s) > last_event_id
ON CONFLICT (account_id, first_id) DO UPDATE SET last_id = greatest(lost_event.last_id, excluded.last_id)
"""


@transactional
def newest_events() -> dict[UUID, int]:
    """Return the highest number that a listener of each account can have."""
    return {row["id"]: row["newest"] for _ in each_in_transaction() for row in fetch_all(NEWEST)}


@transactional
def note_lost_events(before: Mapping[UUID, int], unknown: int) -> int:
    """Keep the numbers that each account's events had beyond the restored ones as lost; return the number of accounts.

    `before` has the newest numbers before the restore, by account; of another account as many numbers as `unknown` may
    be lost.
    """
    known = {"accounts": array_of(before), "newest": array_of(before.values()), "unknown": unknown}
    return sum(execute(KEEP_NUMBERS, known) for _ in each_in_transaction())
