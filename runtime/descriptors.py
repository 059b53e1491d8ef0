"""The file descriptors of this process: the limit, the number in use, and the share of each purpose.

gunicorn's main process imports this module before its workers patch the standard library, so it may import nothing
else.
"""

import os
import resource

# More connections would fill a worker's memory: 34 KB each are 340 MB.
MAX_CONNECTIONS = 10_000
# Open at rest (30), accepted in one turn of the loop (32), connections of operators (32), and files.
RESERVE = 200
MIN_DESCRIPTORS = 512
MAX_REDIS_CONNECTIONS = 1_000
UNLIMITED = 2**31 - 1


def raise_limit() -> int:
    """Raise the limit of this process and its children as far as the system allows, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS reports no hard limit, and refuses a soft one above a maximum that it does not report either.
    for wanted in (hard, 2 * MAX_CONNECTIONS):
        if _number(soft) >= _number(wanted):
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            break
        except (ValueError, OSError):
            continue
    return limit()


def limit() -> int:
    """Return the number of descriptors that this process may have open."""
    return _number(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def used() -> int:
    """Return the number of descriptors that this process has open."""
    try:
        # Linux reports the number as the size since 6.2; counting 10,000 takes milliseconds.
        return os.stat("/proc/self/fd").st_size or len(os.listdir("/proc/self/fd"))
    except OSError:
        return len(os.listdir("/dev/fd"))


def for_redis() -> int:
    """Return the number of connections to Redis that this process may open."""
    return min(MAX_REDIS_CONNECTIONS, limit() // 8)


def for_clients(database_connections: int) -> int:
    """Return the number of client connections that this process may hold."""
    return max(1, min(MAX_CONNECTIONS, limit() - for_redis() - database_connections - RESERVE))


def for_listeners(database_connections: int) -> int:
    """Return the number of client connections that listeners may keep open; the rest serves requests."""
    return max(1, for_clients(database_connections) * 4 // 5)


def _number(value: int) -> int:
    return UNLIMITED if value == resource.RLIM_INFINITY else value
