"""Environment variables whose names nearly equal the name of a setting."""

import difflib
import os
import sys
from collections.abc import Iterator, Mapping

from . import load

# Lets one wrong, missing, added or swapped letter pass in a name of nine letters and more.
LIKENESS = 0.87
# OpenTelemetry reads many more of these than this service does.
FOREIGN = ("OTEL_",)


class _Asked(Mapping[str, str]):
    """An environment with an empty data folder only, which notes the names for which it is asked."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}

    def __getitem__(self, name: str) -> str:
        self.names[name] = None
        if name == "DATA_DIR":
            return os.devnull
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def settings() -> list[str]:
    """Return the names of all settings."""
    asked = _Asked()
    load(asked)
    return [name for name in asked.names if not name.startswith(FOREIGN)]


def find(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are probably misspelt settings, each with the setting that is meant.

    A setting that is set under its own name is not missed, so a variable that resembles it has another purpose.
    """
    unset = [name for name in settings() if not environ.get(name, "").strip()]
    others = [name for name in environ if name not in unset and not name.startswith(FOREIGN)]
    return {name: meant[0] for name in others if (meant := _resembled(name, unset))}


def warn(environ: Mapping[str, str] = os.environ) -> None:
    """Print a line about each variable that is probably a misspelt setting."""
    for name, meant in find(environ).items():
        print(f"tradepost: {name} is not a setting and has no effect: is {meant} meant?", file=sys.__stderr__)


def _resembled(name: str, candidates: list[str]) -> list[str]:
    return difflib.get_close_matches(name.upper(), candidates, n=1, cutoff=LIKENESS)
