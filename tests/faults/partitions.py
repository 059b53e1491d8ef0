"""Cut hosts off from each other, each pair and each way in turn: python -m tests.faults.partitions --seed 7.

Afterwards it measures the orders that two dynos of each kind place and execute beside one, near their servers and far.
"""

import argparse
import contextlib
import random
import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from tests.faults.cuts import SPEAKING, WAYS, Cut, cutter
from tests.faults.dynos import measure_dynos
from tests.faults.hosts import HostMachine
from tests.faults.network import missing_right
from tests.faults.soak import say
from tests.support.processes import ROOT

# Seconds of a cut, and the milliseconds of a round trip between the hosts meanwhile.
SHORT, LONG = (5.0, 0.5), (60.0, 5.0)


class Partitions:
    """One run: the lines of its report, and every problem."""

    def __init__(self, machine: HostMachine, folder: Path, seed: int) -> None:
        self._machine, self._folder, self._seed = machine, folder, seed
        self._chance = random.Random(seed)
        self.lines: list[str] = []
        self.problems: list[str] = []

    def run(self, seconds: float, apart_ms: float, pairs: list[tuple[str, str]]) -> None:
        """Cut these pairs in random order, each in every way."""
        cases = [Cut(*pair, way, seconds) for pair, way in product(pairs, WAYS)]
        self._chance.shuffle(cases)
        self.say(f"{len(cases)} cuts of {seconds:g} s, the servers {apart_ms:g} ms away")
        folder = self._folder / f"{seconds:g}-{apart_ms:g}"
        with cutter(self._machine, folder, apart_ms=apart_ms, seed=self._seed) as ready:
            for case in cases:
                outcome = ready.cut(case)
                self.say(str(outcome))
                self.problems += [f"{case}: {problem}" for problem in outcome.problems]
            problems = ready.cut_silent(seconds)
            self.say(f"all pairs that do not speak to each other, {seconds:g} s: problems: {problems or 'none'}")
            self.problems += problems

    def one_of_twins(self) -> list[tuple[str, str]]:
        """Return the pairs with one of the two web and one of the two worker hosts, by the seed."""
        number = self._chance.choice("12")
        return [pair for pair in SPEAKING if pair[0].endswith(number)]

    def measure(self, seconds: float) -> None:
        """Measure one and two dynos of each kind."""
        for line in measure_dynos(self._machine, self._folder, seconds):
            self.say(line)

    def say(self, line: str) -> None:
        """Print a line of the report and keep it."""
        self.lines.append(line)
        say(line)


def main() -> int:
    """Run every cut and the measurement; return 1 when anything was found."""
    options = _options()
    if reason := missing_right():
        say(f"skipped: {reason}")
        return 0
    say(f"seed {options.seed}")
    with _partitions(options.seed) as run:
        if "short" in options.cuts:
            run.run(*SHORT, list(SPEAKING))
        if "long" in options.cuts:
            run.run(*LONG, list(SPEAKING) if options.all else run.one_of_twins())
        if options.load_seconds:
            run.measure(options.load_seconds)
    options.report.parent.mkdir(parents=True, exist_ok=True)
    ends = [*run.lines, *(f"PROBLEM {problem}" for problem in run.problems)]
    options.report.write_text("\n".join([f"seed {options.seed}", *ends]) + "\n")
    return 1 if run.problems else 0


@contextlib.contextmanager
def _partitions(seed: int) -> Iterator[Partitions]:
    with tempfile.TemporaryDirectory(prefix="tradepost-hosts-") as name:
        machine = HostMachine(Path(name) / "servers")
        try:
            machine.start()
            machine.make_template()
            yield Partitions(machine, Path(name), seed)
        finally:
            machine.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.partitions", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randint(1, 10**6))
    parser.add_argument("--all", action="store_true", help="cut both of two equal hosts for 60 s, not one of them")
    parser.add_argument(
        "--cuts", nargs="*", choices=("short", "long"), default=("short", "long"), help="those of 5 s, of 60 s"
    )
    parser.add_argument("--load-seconds", type=float, default=6.0, help="seconds of each measurement, 0 for none")
    parser.add_argument("--report", type=Path, default=ROOT / ".data" / "partitions-report.txt")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
