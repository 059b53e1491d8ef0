"""Events: what the triggers wrote, read in order, and the nudge that tells listeners to look."""

from collections.abc import Iterable
from uuid import UUID

from models.database import Row, fetch_all, session
from trading import redis_link

CHANNEL_PREFIX = "tradepost:events:"


def events_since(account_id: UUID, since: int, limit: int) -> list[Row]:
    """Return up to limit events of an account with an id above since, oldest first."""
    with session():
        return fetch_all(
            "SELECT * FROM event WHERE account_id = %s AND id > %s ORDER BY id LIMIT %s", (account_id, since, limit)
        )


def nudge(account_ids: Iterable[UUID]) -> None:
    """Tell listeners of these accounts that there is something new; best effort, after the commit."""
    account_ids = list(account_ids)
    if account_ids:
        redis_link.attempt(lambda: _publish(account_ids))


def _publish(account_ids: list[UUID]) -> None:
    with redis_link.client.pipeline(transaction=False) as pipeline:
        for account_id in account_ids:
            pipeline.publish(f"{CHANNEL_PREFIX}{account_id}", "")
        pipeline.execute()
