"""The kinds of faults that the soak injects: a scene to do it in, and a register."""

import random
import time
from collections.abc import Callable

from tests.faults.system import System
from tests.faults.workload import Workload


class NotReached(Exception):
    """A fault was prepared, and nobody came by."""


class Scene:
    """What a fault has to work with: the system, its clients, and chance."""

    def __init__(self, system: System, workload: Workload, chance: random.Random) -> None:
        self.system = system
        self.workload = workload
        self.chance = chance
        self.poisons: set[str] = set()
        self.spare = workload.add_client(workload.open_account("Of the faults"))

    def last_for(self, low_s: float, high_s: float) -> None:
        """Let a fault last."""
        time.sleep(self.chance.uniform(low_s, high_s))

    def reach(self, point: str, argument: str = "") -> None:
        """Arm a fault point and wait, not for ever, until somebody has reached it."""
        armed, end = self.system.arm(point, argument), time.monotonic() + 10
        while armed.exists():
            if time.monotonic() > end:
                raise NotReached(point)
            time.sleep(0.05)


Injection = Callable[[Scene], None]
KINDS: dict[str, Injection] = {}


def kind(number: str, name: str) -> Callable[[Injection], Injection]:
    """Register a kind of fault under its number in the list and a name."""

    def register(injection: Injection) -> Injection:
        KINDS[f"{number} {name}"] = injection
        return injection

    return register
