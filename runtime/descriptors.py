"""How many descriptors this process may have open, and how they are shared out.

gunicorn's main process imports this before its workers patch the standard library: nothing but that may be used here.
"""

import os
import resource

# A worker's connections are few below this, and its memory is full above: 34 KB each are 340 MB.
MAX_CONNECTIONS = 10_000
# What is open at rest (30), accepts of one turn of the loop (32), connections of operators (32), and files.
RESERVE = 200
MINIMUM = 512
REDIS_AT_MOST = 1_000
UNLIMITED = 2**31 - 1


def raise_limit() -> int:
    """Allow this process, and those that it starts, as many descriptors as the system lets it; return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS names no hard limit, and refuses a soft one above another that it does not name.
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
    """Return how many descriptors this process may have open."""
    return _number(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def used() -> int:
    """Return how many descriptors this process has open."""
    try:
        # Linux tells the number as the size since 6.2: counting 10,000 takes milliseconds.
        return os.stat("/proc/self/fd").st_size or len(os.listdir("/proc/self/fd"))
    except OSError:
        return len(os.listdir("/dev/fd"))


def for_redis() -> int:
    """Return how many connections to Redis this process may open."""
    return min(REDIS_AT_MOST, limit() // 8)


def for_clients(database_connections: int) -> int:
    """Return how many connections of clients this process may hold."""
    return max(1, min(MAX_CONNECTIONS, limit() - for_redis() - database_connections - RESERVE))


def for_listeners(database_connections: int) -> int:
    """Return how many of these connections may be listeners, who stay: the rest is for requests."""
    return max(1, for_clients(database_connections) * 4 // 5)


def _number(value: int) -> int:
    return UNLIMITED if value == resource.RLIM_INFINITY else value
