"""Messages that have failed for good: reading them, and sending one again."""

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import dramatiq
from dramatiq.errors import DecodeError

from actors.broker import MAINTENANCE, broker

# The queues of actors.worker; a process that only sends does not declare them all.
QUEUES = ("orders", MAINTENANCE)
MAX_SHOWN = 50
MAX_TEXT = 300
# The options of a message that a new try does not inherit.
SPENT_OPTIONS = frozenset({"retries", "traceback", "requeue_timestamp", "redis_message_id", "eta"})


class QueueDepth(NamedTuple):
    """The number of a queue's messages that wait, are in work, wait for their next try, and have failed for good."""

    name: str
    waiting: int
    working: int
    delayed: int
    dead: int


class DeadLetter(NamedTuple):
    """A message that has failed for good; the error is the last line of the traceback before its last try."""

    message_id: str
    queue: str
    actor: str
    arguments: list[str]
    error: str | None
    enqueued_at: datetime
    died_at: datetime


def queue_depths() -> list[QueueDepth]:
    """Return the depth of every queue. Raises redis.RedisError."""
    with broker.client.pipeline(transaction=False) as pipeline:
        for queue in QUEUES:
            name = _key(queue)
            pipeline.llen(name)
            pipeline.hlen(f"{name}.msgs")
            pipeline.hlen(f"{name}.DQ.msgs")
            pipeline.zcard(f"{name}.XQ")
        answers = iter(pipeline.execute())
    return [
        QueueDepth(queue, waiting, max(0, known - waiting), delayed, dead)
        for queue, waiting, known, delayed, dead in zip(QUEUES, *[answers] * 4, strict=True)
    ]


def newest_dead_letters() -> list[DeadLetter]:
    """Return the newest messages that have failed for good, newest first. Raises redis.RedisError."""
    letters = [letter for queue in QUEUES for letter in _dead_letters_of(queue)]
    return sorted(letters, key=lambda letter: letter.died_at, reverse=True)[:MAX_SHOWN]


def requeue(message_id: UUID) -> bool:
    """Send a dead letter again with all its tries; return False if there is none with this id.

    It is sent before it is deleted: after a failure in between it is sent twice, and executing twice does nothing.
    Raises redis.RedisError.
    """
    for queue in QUEUES:
        data: Any = broker.client.hget(f"{_key(queue)}.XQ.msgs", str(message_id))
        if data is not None:
            message = dramatiq.Message.decode(data)
            options = {name: value for name, value in message.options.items() if name not in SPENT_OPTIONS}
            broker.enqueue(dataclasses.replace(message, queue_name=queue, options=options))
            with broker.client.pipeline() as pipeline:
                pipeline.zrem(f"{_key(queue)}.XQ", str(message_id))
                pipeline.hdel(f"{_key(queue)}.XQ.msgs", str(message_id))
                pipeline.execute()
            return True
    return False


def _dead_letters_of(queue: str) -> list[DeadLetter]:
    name = f"{_key(queue)}.XQ"
    found: Any = broker.client.zrange(name, 0, MAX_SHOWN - 1, desc=True, withscores=True)
    if not found:
        return []
    texts = broker.client.hmget(f"{name}.msgs", [message_id for message_id, _ in found])
    letters = (_read(queue, text, *entry) for text, entry in zip(texts, found, strict=True) if text is not None)
    return [letter for letter in letters if letter is not None]


def _read(queue: str, text: bytes, message_id: bytes, died_ms: float) -> DeadLetter | None:
    try:
        message = dramatiq.Message.decode(text)
    except DecodeError:
        return None
    lines = str(message.options.get("traceback", "")).strip().splitlines()
    return DeadLetter(
        message_id.decode(),
        queue,
        message.actor_name,
        [_short(argument) for argument in message.args],
        lines[-1][:MAX_TEXT] if lines else None,
        _moment(message.message_timestamp),
        _moment(died_ms),
    )


def _short(argument: Any) -> str:
    return (argument if isinstance(argument, str) else json.dumps(argument, default=str))[:MAX_TEXT]


def _moment(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _key(queue: str) -> str:
    return f"{broker.namespace}:{queue}"
