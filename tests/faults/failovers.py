"""Failovers under load from a seed, and what each one cost: python -m tests.faults.failovers --seed 7 --times 20."""

import argparse
import contextlib
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests.faults.checks import drain, find_leftovers, find_problems, times, unbalanced
from tests.faults.pair import Pair, PairedMachine, PairedSystem
from tests.faults.workload import Request, Workload
from tests.support.processes import ROOT, wait_until

PROBES = 4
# The limits of docs/faults.md, F34.
AFTER_PROMOTION_S, AFTER_LOSS_S = 5.0, 10.0
# The delays of the wire in the runs with an asynchronous standby.
DELAYS_S = (0.0, 0.05, 0.5)
LOSSES: dict[str, Callable[[Pair], None]] = {
    "every process killed": Pair.kill,
    "main process killed": Pair.kill_main_process,
    "host silent": Pair.lose_host,
    "cut off and alive": Pair.cut_off,
    "stopped in order": Pair.stop,
}


class Cost(NamedTuple):
    """The seconds that a failover took from the clients' view."""

    loss: str
    promotion_s: float  # from the loss to the end of the promotion
    after_loss_s: float  # from the loss until every probe had placed an order
    after_promotion_s: float

    @property
    def missed(self) -> list[str]:
        """Return the limits that it missed."""
        is_late = self.after_promotion_s > AFTER_PROMOTION_S or self.after_loss_s > AFTER_LOSS_S
        return [f"placements came back late: {self}"] if is_late else []


class Probes:
    """Clients that do nothing but place, one order after the other, and remember the time of each 202."""

    def __init__(self, workload: Workload, count: int = PROBES) -> None:
        self.clients = [workload.add_client() for _ in range(count)]
        self._accepted_at = [0.0] * count
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._probe, args=(n,), daemon=True) for n in range(count)]

    def __enter__(self) -> "Probes":
        for thread in self._threads:
            thread.start()
        self.wait_for_all(time.monotonic())
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(60)

    def wait_for_all(self, since: float, timeout_s: float = 60.0) -> float:
        """Wait until every client has placed an order after a moment; return the time of the last one's first."""
        wait_until(lambda: min(self._accepted_at) > since, timeout_s=timeout_s, what="placements are accepted")
        return time.monotonic()

    def _probe(self, number: int) -> None:
        with contextlib.suppress(AssertionError):  # nothing is accepted: the waiting thread says so
            while not self._stopping.is_set():
                if self.clients[number].place(quantity=1).status == 202:
                    self._accepted_at[number] = time.monotonic()
                time.sleep(0.02)


def fail_over(system: PairedSystem, probes: Probes, loss: str) -> Cost:
    """Lose the primary, promote the standby at once, and wait until every probe has placed an order."""
    start = time.monotonic()
    LOSSES[loss](system.pair)
    system.promote()
    promoted = time.monotonic()
    answered = probes.wait_for_all(promoted)
    return Cost(loss, *(round(part, 2) for part in (promoted - start, answered - start, answered - promoted)))


def placed_and_lost(system: PairedSystem, workload: Workload) -> tuple[int, list[Request]]:
    """Return the number of orders whose 202 was received, and the requests of those that are gone."""
    kept = {row[0] for row in system.sql("SELECT id::text FROM trading_order")}
    told = [request for request in workload.requests if request.status == 202 and "orderId" in request.document]
    return len(told), [request for request in told if request.document["orderId"] not in kept]


class Run:
    """A pair under load, whose primary is lost again and again."""

    def __init__(self, folder: Path, seed: int, *, is_synchronous: bool = True) -> None:
        self.chance = random.Random(seed)
        self.machine = PairedMachine(folder / "servers", is_synchronous=is_synchronous).begin()
        (folder / "run").mkdir()
        self.system = PairedSystem(self.machine, folder / "run", WEB_CONCURRENCY="2")
        self.system.start()
        self.workload = Workload(self.system, clients=8, seed=seed)

    def close(self) -> None:
        """End all."""
        self.system.close()
        self.machine.close()

    def series(self, count: int) -> Iterator[Cost]:
        """Fail over a number of times, each kind of loss once before any comes again."""
        waiting: list[str] = []
        with self.workload.running(pause_s=0.02), Probes(self.workload) as probes:
            for _ in range(count):
                waiting = waiting or self.chance.sample(list(LOSSES), len(LOSSES))
                time.sleep(self.chance.uniform(0.2, 1.0))
                yield fail_over(self.system, probes, waiting.pop())
                self.system.pair.rejoin()

    def problems(self) -> list[str]:
        """Return every violation of I1 to I7 once nothing is PENDING."""
        drain(self.system)
        return self.workload.failures + find_problems(self.system, self.workload) + find_leftovers(self.system)


def measure_failovers(folder: Path, seed: int, count: int) -> Iterator[str]:
    """Yield the lines about failovers to a synchronous standby; a line that begins with PROBLEM fails the run."""
    run = Run(folder, seed)
    try:
        costs = []
        for cost in run.series(count):
            costs.append(cost)
            yield f"{cost.loss}: promoted after {cost.promotion_s} s, placements {cost.after_promotion_s} s later"
            yield from (f"PROBLEM {text}" for text in cost.missed)
        problems = run.problems()
        counts = {word: sum(word in problem for problem in problems) for word in ("lost", "doubled", "unbalanced")}
        yield (
            f"{count} failovers to a synchronous standby under load, {times(run.system).orders} orders: "
            + ", ".join(f"{word} {number}" for word, number in counts.items())
        )
        yield (
            "seconds until placements were answered again, longest:"
            f" {max(cost.after_promotion_s for cost in costs)} from the promotion,"
            f" {max(cost.after_loss_s for cost in costs)} from the loss; final states: {times(run.system)}"
        )
        yield from (f"PROBLEM {problem}" for problem in problems[:20])
    finally:
        run.close()


def measure_losses(folder: Path, seed: int) -> Iterator[str]:
    """Yield the lines about an asynchronous standby behind wires of several delays."""
    run = Run(folder, seed, is_synchronous=False)
    try:
        for delay_s in DELAYS_S:
            run.system.pair.wire.delay_s = delay_s
            yield lose_asynchronously(run, delay_s)
            run.system.pair.wire.delay_s = 0.0
            run.system.pair.rejoin()
        drain(run.system)
        yield from (f"PROBLEM {problem}" for problem in unbalanced(run.system) + find_leftovers(run.system))
    finally:
        run.close()


def lose_asynchronously(run: Run, delay_s: float, load_s: float = 3.0) -> str:
    """Lose a primary whose standby is behind by the delay of the wire, and return a line about what is gone."""
    before = len(placed_and_lost(run.system, run.workload)[1])
    with run.workload.running(), Probes(run.workload) as probes:
        count = len(run.workload.requests)
        time.sleep(load_s)
        rate = (len(run.workload.requests) - count) / load_s
        cost = fail_over(run.system, probes, "every process killed")
    told, gone = placed_and_lost(run.system, run.workload)
    return (
        f"asynchronous standby, {delay_s * 1000:g} ms away, {rate:.0f} requests/s: {len(gone) - before} of {told}"
        f" accepted orders gone; placements {cost.after_promotion_s} s after the promotion"
    )


def main() -> int:
    """Fail over, print a report, and exit 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randint(1, 10**6))
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--report", type=Path, default=ROOT / ".data" / "failovers-report.txt")
    options = parser.parse_args()
    lines = [f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, seed {options.seed}"]
    print(lines[0], flush=True)
    with tempfile.TemporaryDirectory(prefix="tradepost-failovers-") as name:
        folders = [Path(name) / part for part in ("synchronous", "asynchronous")]
        for folder in folders:
            folder.mkdir()
        series = [measure_failovers(folders[0], options.seed, options.times), measure_losses(folders[1], options.seed)]
        for measured in series:
            for line in measured:
                print(line, flush=True)
                lines.append(line)
    options.report.parent.mkdir(parents=True, exist_ok=True)
    options.report.write_text("\n".join(lines) + "\n")
    return 1 if any(line.startswith("PROBLEM") for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
