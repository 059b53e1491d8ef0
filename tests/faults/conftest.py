"""One machine for all fault tests; a system with a database of its own for each."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.faults.machine import Machine
from tests.faults.system import System
from tests.faults.workload import Workload


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Start a PostgreSQL and a Valkey that may be broken."""
    machine = Machine(tmp_path_factory.mktemp("faults"))
    try:
        machine.start()
        machine.make_template()
        yield machine
    finally:
        machine.close()


@pytest.fixture
def system(machine: Machine, tmp_path: Any) -> Iterator[System]:
    """Return a system whose processes the test starts."""
    machine.start()
    system = System(machine, tmp_path)
    yield system
    system.close()


@pytest.fixture
def begin(system: System) -> Callable[..., Workload]:
    """Return a function that starts a web and a worker command, and gives clients: begin(clients=4)."""

    def make(*, clients: int = 4, seed: int = 1, **settings: str) -> Workload:
        system.start(**settings)
        return Workload(system, clients=clients, seed=seed)

    return make
