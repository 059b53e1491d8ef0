"""Wait for a socket in a plain thread or, where gevent has patched this process, in a greenlet."""

import functools
import select
import sys
from typing import Any


def wait(descriptor: int, event: int, timeout_ms: float | None) -> bool:
    """Wait until a socket has an event, POLLIN or POLLOUT; return False if it has none within the time.

    gevent's own poll() and Timeout do the same with more objects, and take twice as long.
    """
    gevent = _gevent()
    if gevent is None:
        poller = select.poll()
        poller.register(descriptor, event)
        return bool(poller.poll(timeout_ms))
    hub = gevent.get_hub()
    waiter, watcher = gevent.hub.Waiter(hub), hub.loop.io(descriptor, 1 if event == select.POLLIN else 2)
    timer = None if timeout_ms is None else hub.loop.timer(timeout_ms / 1000)
    try:
        watcher.start(waiter.switch, True)
        if timer is not None:
            timer.start(waiter.switch, False, update=True)
        return bool(waiter.get())
    finally:
        watcher.close()
        if timer is not None:
            timer.close()


def is_readable(descriptor: int) -> bool:
    """Return True if a read would not wait; never let another greenlet run, which gevent's poll() does."""
    return bool(_looker(descriptor).poll(0))


@functools.cache
def _looker(descriptor: int) -> Any:
    """Return an object that looks at a descriptor, kept since it knows no more than the number."""
    gevent = _gevent()
    poller = (select.poll if gevent is None else gevent.monkey.get_original("select", "poll"))()
    poller.register(descriptor, select.POLLIN)
    return poller


@functools.cache
def _gevent() -> Any:
    """Return gevent if it has patched this process, otherwise None; a worker process does not load it at all."""
    monkey = sys.modules.get("gevent.monkey")
    return sys.modules["gevent"] if monkey is not None and monkey.is_module_patched("select") else None
