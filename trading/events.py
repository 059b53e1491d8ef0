"""Events: what the triggers wrote, read in order, and the nudge that tells listeners to look."""

from collections.abc import Iterable
from uuid import UUID

from models.database import Row, fetch_all, fetch_one, session
from trading import redis_link
from trading.errors import NotFound

CHANNEL_PREFIX = "tradepost:events:"


def events_since(account_id: UUID, since: int, limit: int) -> list[Row]:
    """Return up to limit events of an account with an id above since, oldest first."""
    with session():
        return fetch_all(
            "SELECT * FROM event WHERE account_id = %s AND id > %s ORDER BY id LIMIT %s", (account_id, since, limit)
        )


def bounds(account_id: UUID) -> tuple[int, int]:
    """Return the ids of an account's oldest kept and newest event; (n + 1, n) when none is kept.

    Raises NotFound for an unknown account.
    """
    with session():
        row = fetch_one(
            "SELECT last_event_id AS newest, (SELECT id FROM event WHERE account_id = account.id"
            " ORDER BY id LIMIT 1) AS oldest FROM account WHERE id = %s",
            (account_id,),
        )
    if row is None:
        raise NotFound
    newest: int = row["newest"]
    return newest + 1 if row["oldest"] is None else row["oldest"], newest


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
