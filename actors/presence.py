"""The worker processes and databases seen in Redis in the last minute."""

import os
import socket
import time
from typing import Any, NamedTuple

from models.database import fetch_all, session
from runtime import redis_link

FORGOTTEN_AFTER_S = 60.0
# A standby that takes over has the same identity; a database restored from a dump has another one.
DATABASE = """
SELECT system_identifier || '/' || oid AS identity FROM pg_control_system(), pg_database
WHERE datname = current_database()
"""


class Worker(NamedTuple):
    """A worker process, and the time since its last sign of life."""

    name: str
    silent_ms: int


def say_present() -> None:
    """Record this process as present. Raises redis.RedisError."""
    _note("workers", f"{socket.gethostname()}:{os.getpid()}")


def present_workers() -> list[Worker]:
    """Return the worker processes of the last minute, sorted by name; the hosts' clocks must agree."""
    now, key = time.time(), redis_link.key("workers")
    found: Any = redis_link.client.zrangebyscore(key, now - FORGOTTEN_AFTER_S, "+inf", withscores=True)
    return sorted(Worker(name.decode(), max(0, round(1000 * (now - seen)))) for name, seen in found)


def read_database() -> str:
    """Return the identity of this process's database. Raises DatabaseUnavailable."""
    with session():
        (row,) = fetch_all(DATABASE)
    return str(row["identity"])


def say_database(identity: str) -> None:
    """Record the database of this process. Raises redis.RedisError."""
    _note("databases", identity)


def count_databases() -> int:
    """Return the number of databases of the last minute's workers; more than one share a namespace by mistake."""
    return int(redis_link.client.zcount(redis_link.key("databases"), time.time() - FORGOTTEN_AFTER_S, "+inf"))


def _note(name: str, member: str) -> None:
    now = time.time()
    with redis_link.client.pipeline(transaction=False) as pipeline:
        pipeline.zadd(redis_link.key(name), {member: now})
        pipeline.zremrangebyscore(redis_link.key(name), 0, now - FORGOTTEN_AFTER_S)
        pipeline.execute()
