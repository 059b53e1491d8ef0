"""Tradepost's processes over a Redis that has a replica and Sentinels."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from redis.sentinel import Sentinel

from tests.faults.machine import Machine
from tests.faults.system import System
from tests.support.sentinels import HOST, SERVICE, Watched


@contextlib.contextmanager
def watched_system(machine: Machine, folder: Path, **settings: str) -> Iterator[tuple[System, Watched]]:
    """Give a system, and the servers and Sentinels that its REDIS_URL names; the test starts the processes."""
    machine.start()
    watched, system = Watched(folder / "watched"), None
    try:
        watched.start()
        system = System(machine, folder, REDIS_URL=watched.url, **settings)
        system.redis.close()
        places = [(HOST, sentinel.port) for sentinel in watched.sentinels]
        system.redis = Sentinel(places, socket_timeout=10).master_for(SERVICE)
        yield system, watched
    finally:
        if system is not None:
            system.close()
        watched.close()
