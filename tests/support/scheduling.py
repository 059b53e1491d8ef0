"""The distribution of the tests over parallel processes: file by file, the slow ones first."""

import os
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Tests wait more than they compute, so there are more processes than cores.
WORKERS_OF_A_CORE = 2.5
MAX_WORKERS = 8
# The fault tests load the machine and watch the time. One process runs all of a group, so four of them run at once and
# never more. Those that need most of the machine are in the first group, which a file joins that is named nowhere.
FAULTS = "tests/faults/"
FAULT_GROUPS = (
    (
        "descriptors",
        "failover_reads",
        "full_shared_memory",
        "held_locks",
        "hostile_bodies",
        "lost_log",
        "names",
        "redis_elsewhere",
        "repetition",
    ),
    (
        "cut_pub_sub",
        "dying_processes",
        "market_faults",
        "matching_processes",
        "redis_faults",
        "taken_back",
    ),
    ("connection_limit", "database_faults", "lost_traces", "outages", "poison", "restarts", "what_is_remembered"),
    # These wait, for the claims of dead workers and for cuts to end, and compute little.
    ("hosts", "settlement_faults", "square_off_faults"),
)
# One process runs these, with one browser and one web process for all of them.
BROWSER = "tests/browser/"
# One process runs these: all that they look at happens once.
KITE_CLIENTS = "tests/kite_clients/"
# The longest first, as measured. A file that is not named here is short, and fills the end of a run.
SLOW = (
    FAULTS,
    BROWSER,
    KITE_CLIENTS,
    "tests/embedded/test_run.py",
    "tests/kite_days/",
    "tests/security/test_schemathesis.py",
    "tests/realtime/test_what_fails.py",
    "tests/acceptance/test_what_dies.py",
    "tests/realtime/",
    "tests/security/",
    "tests/embedded/",
    "tests/matching_stress/",
    "tests/actors/",
    "tests/trading/upkeep/",
    "tests/acceptance/",
    "tests/deploy/",
    "tests/examples/",
    "tests/clients/",
    "tests/trading/execution/test_sweeping_plans.py",
    "tests/trading/matching/test_matching_plans.py",
    "tests/api/test_authentication.py",
    "tests/bench/",
)


class Scheduler(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Give each process one group of tests after the other, in the order of begin_with_slow."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def group_of(nodeid: str) -> str:
    """Return the name of the tests that one process runs together: those of a file, or of several files."""
    path = nodeid.partition("::")[0]
    for folder in (BROWSER, KITE_CLIENTS):
        if path.startswith(folder):
            return folder
    if not path.startswith(FAULTS):
        return path
    name = path.removeprefix(f"{FAULTS}test_").removesuffix(".py")
    return FAULTS + str(next((number for number, names in enumerate(FAULT_GROUPS) if name in names), 0))


def begin_with_slow(items: list[pytest.Item]) -> None:
    """Sort tests so that the slowest groups come first."""
    items.sort(key=lambda item: _rank(group_of(item.nodeid)))


def worker_count(arguments: list[str]) -> int:
    """Return the number of processes for a run of these files and folders; 0 when one file is not worth it."""
    is_short = all(Path(argument.partition("::")[0]).suffix == ".py" for argument in arguments)
    # A server that is given is shared: some tests count what it does, and some break it.
    is_shared = "DATABASE_URL" in os.environ or "REDIS_URL" in os.environ
    return 0 if is_short or is_shared else min(MAX_WORKERS, int(WORKERS_OF_A_CORE * (os.cpu_count() or 1)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return the number of parallel processes for -n auto."""
    return worker_count(config.args)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduler:
    """Return the distribution of the tests over the parallel processes."""
    return Scheduler(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let parallel processes begin with the slow tests."""
    if hasattr(config, "workerinput"):
        begin_with_slow(items)


def _rank(group: str) -> int:
    return next((rank for rank, name in enumerate(SLOW) if group.startswith(name)), len(SLOW))
