"""Worker processes say that they are there, once a tick; who has stopped is forgotten after a minute."""

import os
import socket
import time
from typing import NamedTuple

from trading import redis_link

KEY = "tradepost:workers"
FORGOTTEN_AFTER_S = 60.0


class Worker(NamedTuple):
    """A worker process, and how long ago it was heard of."""

    name: str
    silent_ms: int


def say_present() -> None:
    """Note this process. Raises redis.RedisError."""
    now = time.time()
    with redis_link.client.pipeline(transaction=False) as pipeline:
        pipeline.zadd(KEY, {f"{socket.gethostname()}:{os.getpid()}": now})
        pipeline.zremrangebyscore(KEY, 0, now - FORGOTTEN_AFTER_S)
        pipeline.execute()


def present_workers() -> list[Worker]:
    """Return the worker processes of the last minute, by name, as far as the hosts' clocks agree."""
    now = time.time()
    found = redis_link.client.zrangebyscore(KEY, now - FORGOTTEN_AFTER_S, "+inf", withscores=True)
    return sorted(Worker(name.decode(), max(0, round(1000 * (now - seen)))) for name, seen in found)
