"""Profiles of a busy service on empty and on full tables, by figure."""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.growth.busy import half_rate
from bench.growth.parts import BACKLOG
from bench.growth.sides import EMPTY, FULL, Side
from bench.parts.placement import Bench
from bench.parts.profiles import under_load


def profile_busy(sides: list[Side], seconds: int) -> dict[str, dict[str, Any]]:
    """Return the profiles of the empty and the full side, by figure."""
    found = {}
    with tempfile.TemporaryDirectory(prefix="profiles-") as folder:
        for side in sides:
            if side.name not in (EMPTY, FULL):
                continue
            side.enter()
            bench = Bench(side.services, seconds, rounds=1)
            rate = half_rate(side, bench)
            profiles = under_load(bench, Path(folder), seconds=seconds, half_rate=rate, pending=2 * BACKLOG)
            found[side.name] = {name: asdict(profile) for name, profile in profiles.items()}
    return found
