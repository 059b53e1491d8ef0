"""Wait for a socket in a plain thread or, where gevent has patched this process, in a greenlet."""

import select
import sys
from typing import Any


def wait(descriptor: int, event: int, timeout_ms: float | None) -> bool:
    """Wait until a socket has an event, POLLIN or POLLOUT; return False if it has none within the time.

    gevent's own poll() does the same with more objects, and takes twice as long.
    """
    gevent = _gevent()
    if gevent is None:
        poller = select.poll()
        poller.register(descriptor, event)
        return bool(poller.poll(timeout_ms))
    hub = gevent.get_hub()
    watcher, has_come = hub.loop.io(descriptor, 1 if event == select.POLLIN else 2), False
    try:
        with gevent.Timeout(None if timeout_ms is None else timeout_ms / 1000, False):
            hub.wait(watcher)
            has_come = True
    finally:
        watcher.close()
    return has_come


def is_readable(descriptor: int) -> bool:
    """Return True if a read would not wait; never let another greenlet run, which gevent's poll() does."""
    gevent = _gevent()
    poller = (select.poll if gevent is None else gevent.monkey.get_original("select", "poll"))()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(0))


def _gevent() -> Any:
    """Return gevent if it has patched this process, otherwise None; a worker process does not load it at all."""
    monkey = sys.modules.get("gevent.monkey")
    return sys.modules["gevent"] if monkey is not None and monkey.is_module_patched("select") else None
