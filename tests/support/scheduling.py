"""The distribution of the tests over parallel processes: file by file, the slow ones first."""

import os
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Tests wait more than they compute, so there are more processes than cores.
WORKERS_OF_A_CORE = 3
MAX_WORKERS = 8
# Each test of these starts processes and waits for them; none leaves anything for the next.
SPLIT = "tests/faults/"
# Tests that need most of a machine: one process runs them all, so that no two of them run at the same time.
ALONE = (
    "tests/faults/test_held_locks.py",
    "tests/faults/test_repetition.py",
    "tests/faults/test_descriptors.py",
    "tests/realtime/test_delivery.py",
)
# The longest first, as measured. What is not named here is short, and fills the end of a run.
SLOW = (
    "alone",
    "tests/security/test_schemathesis.py",
    SPLIT,
    "tests/embedded/test_run.py",
    "tests/realtime/test_what_fails.py",
    "tests/embedded/test_run_that_fails.py",
    "tests/acceptance/test_what_dies.py",
    "tests/security/",
    "tests/browser/",
    "tests/realtime/",
    "tests/embedded/",
    "tests/acceptance/",
    "tests/deploy/",
    "tests/actors/",
    "tests/trading/upkeep/",
)


class Scheduler(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Give each process one group of tests after the other, in the order of begin_with_slow."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """Return the name of the tests that one process runs together: mostly those of a file."""
    path = nodeid.partition("::")[0]
    if path in ALONE:
        return "alone"
    return nodeid if path.startswith(SPLIT) else path


def begin_with_slow(items: list[pytest.Item]) -> None:
    """Sort tests so that the slowest groups come first."""
    items.sort(key=lambda item: _rank(group_of(item.nodeid)))


def worker_count(arguments: list[str]) -> int:
    """Return the number of processes for a run of these files and folders; 0 when one file is not worth it."""
    is_short = all(Path(argument.partition("::")[0]).suffix == ".py" for argument in arguments)
    # A server that is given is shared: some tests count what it does, and some break it.
    is_shared = "DATABASE_URL" in os.environ or "REDIS_URL" in os.environ
    return 0 if is_short or is_shared else min(MAX_WORKERS, WORKERS_OF_A_CORE * (os.cpu_count() or 1))


def _rank(group: str) -> int:
    return next((rank for rank, name in enumerate(SLOW) if group.startswith(name)), len(SLOW))
