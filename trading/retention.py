"""Delete what is kept for a time only, in bounded batches."""

from models.database import execute, transactional

EVENTS_KEPT_DAYS = 7  # the database's own trigger refuses to delete a younger one
KEYS_KEPT_HOURS = 25  # 24 are promised
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

DELETE_KEYS = """
DELETE FROM idempotency_key WHERE (account_id, scope, key) IN (
    SELECT account_id, scope, key FROM idempotency_key
    WHERE created_at < now() - %(kept)s * interval '1 hour' LIMIT %(limit)s)
"""


@transactional
def delete_old_events(*, limit: int = BATCH) -> int:
    """Delete about limit of the events that are older than 7 days by the database's clock; return how many."""
    return execute(DELETE_EVENTS, {"kept": EVENTS_KEPT_DAYS, "limit": limit})


@transactional
def delete_old_keys(*, limit: int = BATCH) -> int:
    """Delete up to limit of the idempotency keys that are no longer kept; return how many."""
    return execute(DELETE_KEYS, {"kept": KEYS_KEPT_HOURS, "limit": limit})
