"""Delete what is kept for a time only, in bounded batches."""

from models.database import execute, transactional

EVENTS_KEPT_DAYS = 7  # the database's own trigger refuses to delete a younger one
BATCH = 5_000

# Whatever rows a batch meets first, it deletes a prefix of each account's events, since they are
# numbered in the order of their time: what is kept stays k..n without a gap.
DELETE_EVENTS = """
WITH old AS (
    SELECT account_id, max(id) AS last_id FROM (
        SELECT account_id, id FROM event WHERE at < now() - %(kept)s * interval '1 day' LIMIT %(limit)s) AS old_events
    GROUP BY account_id)
DELETE FROM event USING old WHERE event.account_id = old.account_id AND event.id <= old.last_id
"""


@transactional
def delete_old_events(*, limit: int = BATCH) -> int:
    """Delete about limit of the events that are older than 7 days by the database's clock; return how many."""
    return execute(DELETE_EVENTS, {"kept": EVENTS_KEPT_DAYS, "limit": limit})
