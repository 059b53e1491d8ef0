"""Nudges: messages on a Redis channel that tell listeners of an account to read its new events."""

import functools
from collections.abc import Iterable
from uuid import UUID

from runtime import redis_link
from runtime.redis_pipeline import Pipeline
from runtime.sender import Parcel, sender

CALL = "call"


def channel(account_id: object) -> str:
    """Return the channel for nudges of an account; "*" gives the pattern of all channels."""
    return redis_link.key(f"events:{account_id}")


def call_listeners() -> None:
    """Publish on the channel of CALL, through a server that accepts writes; a healthy subscription hears it.

    Raises redis.RedisError.
    """
    with redis_link.client.pipeline(transaction=False) as pipeline:
        redis_link.prove_writable(pipeline)
        pipeline.publish(channel(CALL), "")
        pipeline.execute()


def nudge(account_ids: Iterable[UUID]) -> None:
    """Tell the listeners of these accounts, after the commit, that there are new events; best effort, no wait."""
    if redis_link.is_enabled():
        channels = [channel(account_id) for account_id in account_ids]
        sender.add({name: Parcel(functools.partial(_publish, name)) for name in channels})


def _publish(name: str, pipeline: Pipeline) -> None:
    pipeline.add("PUBLISH", name, "")
