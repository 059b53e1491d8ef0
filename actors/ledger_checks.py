"""A check of the ledger that an operator asks for: a worker does it as it does the hourly one; Redis has its state."""

import json
from datetime import UTC, datetime
from typing import Any, Literal, TypedDict

import dramatiq

from actors.broker import MAINTENANCE, broker
from runtime import redis_link

State = Literal["asked", "running"]
# A worker takes the message within seconds, if there is one.
ASKED_MS = 120_000


class CheckState(TypedDict):
    """The state of a check that has not ended, and the time since which it has been so."""

    state: State
    since: datetime


def ask_for_check() -> CheckState:
    """Have the ledger checked unless a check is asked for or running; return its state. Raises redis.RedisError."""
    if _note("asked", ASKED_MS, only_if_none=True):
        message: dramatiq.Message[Any] = dramatiq.Message(MAINTENANCE, "check_ledger", (), {}, {})
        broker.enqueue(message)
    return unfinished_check() or {"state": "asked", "since": datetime.now(UTC)}


def note_running(limit_ms: int) -> None:
    """Note that a check has begun, which takes at most limit_ms. Raises redis.RedisError."""
    _note("running", limit_ms)


def note_end() -> None:
    """Note that no check is running. Raises redis.RedisError."""
    redis_link.client.delete(_key())


def unfinished_check() -> CheckState | None:
    """Return the state of a check that is asked for or running, or None. Raises redis.RedisError."""
    text: Any = redis_link.client.get(_key())
    if text is None:
        return None
    state, since = json.loads(text)
    return {"state": state, "since": datetime.fromisoformat(since)}


def _note(state: State, limit_ms: int, *, only_if_none: bool = False) -> bool:
    value = json.dumps([state, datetime.now(UTC).isoformat()])
    return bool(redis_link.client.set(_key(), value, px=limit_ms, nx=only_if_none))


def _key() -> str:
    return redis_link.key("ledger-check")
