"""Random faults from a seed under load, for minutes, and a report: python -m tests.faults.soak --seed 7 --minutes 5."""

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil

from tests.faults import kinds_of_clients, kinds_of_processes, kinds_of_servers  # noqa: F401  they register
from tests.faults.checks import (
    DRAIN_RATE,
    Times,
    answered,
    drain,
    find_leftovers,
    find_problems,
    pending_orders,
    times,
)
from tests.faults.every_series import every_series
from tests.faults.followers import Follower
from tests.faults.kinds import KINDS, NotReached, Scene
from tests.faults.machine import Machine
from tests.faults.measured import Measured, missed
from tests.faults.system import System
from tests.faults.workload import Workload
from tests.support.processes import ROOT, wait_until

CHECK_EVERY = 15  # faults
# After a healed fault every accepted order is final within this long, and the backlog's time.
FINAL_S = 5.0
# A run of the full length must reach these; a shorter one reaches less.
FULL_MINUTES, ORDERS, KINDS_OF_FAULTS = 25.0, 20_000, 30


class Soak:
    """One run: a system, its clients and listeners, and the faults injected."""

    def __init__(self, machine: Machine, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.system = System(machine, folder, WEB_CONCURRENCY="2")
        self.drains = [0.0]
        self.injected: Counter[str] = Counter()
        self.problems: list[str] = []

    def start(self, seed: int) -> None:
        """Start the processes, the clients and the listeners."""
        self.system.start_web()
        for _ in range(2):
            self.system.start_worker()
        self.workload = Workload(self.system, clients=8, seed=seed)
        self.scene = Scene(self.system, self.workload, self.chance)
        self.followers = [Follower(self.system, *pair) for pair in self.workload.accounts.items()]

    def run(self, minutes: float) -> None:
        """Inject one fault after the other, each kind once before any comes again, and check now and then."""
        end = time.monotonic() + minutes * 60
        waiting: list[str] = []
        self.workload.begin()
        with self.system.kept():
            while time.monotonic() < end and not self.problems:
                waiting = waiting or self.chance.sample(list(KINDS), len(KINDS))
                name = waiting.pop()
                self.inject(name)
                if sum(self.injected.values()) % CHECK_EVERY == 0:
                    self.check(f"after {name}")
            self.check("at the end", final=True)

    def inject(self, name: str) -> None:
        """Inject a fault, heal, and let the clients trade a moment."""
        say(f"{sum(self.injected.values()) + 1}: {name}")
        try:
            KINDS[name](self.scene)
            self.injected[name] += 1
        except (psutil.Error, IndexError, NotReached) as error:  # what it was meant for has just ended, or never came
            say(f"not injected: {error!r}")
        except Exception as error:  # noqa: BLE001  the run must end with a report
            self.problems.append(f"the fault {name} went wrong: {error!r}")
        self.heal()
        time.sleep(self.chance.uniform(0.3, 2.0))

    def heal(self) -> None:
        """End the fault; servers and commands that died start again."""
        wait_until(self._is_healed, timeout_s=120, what="the system heals")

    def _is_healed(self) -> bool:
        with contextlib.suppress(AssertionError):  # a command was still about to end when it was looked at
            time.sleep(0.3)
            self.system.heal()
            return all(command.is_running for command in (*self.system.webs, *self.system.workers))
        return False

    def check(self, when: str, *, final: bool = False) -> None:
        """Stop the clients, wait until no order is PENDING, and collect every problem."""
        self.workload.finish()
        poisons = self.scene.poisons  # each has its five attempts first
        pending = pending_orders(self.system, but=poisons)
        try:
            self.drains.append(drain(self.system, timeout_s=60, but=poisons))
            drain(self.system, timeout_s=60)
        except AssertionError as error:
            self.problems.append(str(error))
        found = [] if self.drains[-1] < FINAL_S + pending / DRAIN_RATE else [f"I2: {pending} took {self.drains[-1]} s"]
        found += self.workload.failures + find_problems(self.system, self.workload)
        if final:
            found += find_leftovers(self.system, self.scene.poisons) + self._follow_up() + self._verify()
        self.problems += [f"{when}: {problem}" for problem in found]
        say(f"checked {when}: {len(found)} problems, {times(self.system)}")
        if not final and not self.problems:
            self.workload.begin()

    def _follow_up(self) -> list[str]:
        """Compare the events that each listener received with those in the database."""
        last = dict(self.system.sql("SELECT id::text, last_event_id FROM account"))
        with contextlib.suppress(AssertionError):
            wait_until(lambda: all(one.last == last[one.account_id] for one in self.followers), timeout_s=15)
        for follower in self.followers:
            follower.stop()
        missing = [
            f"I6: the listener of {one.account_id} heard {one.last} of {last[one.account_id]} events"
            for one in self.followers
            if one.last != last[one.account_id]
        ]
        return missing + [problem for one in self.followers for problem in one.problems]

    def _verify(self) -> list[str]:
        """Run `ledger verify`, which exits 1 when a rule is broken."""
        command = ["flask", "--app", "api", "ledger", "verify"]
        done = subprocess.run(command, cwd=ROOT, env=self.system.starter.environment, capture_output=True, text=True)
        return [] if done.returncode == 0 else [f"ledger verify: {done.stdout} {done.stderr}"]


def report(soak: Soak, seed: int, minutes: float) -> str:
    """Return the report of a run."""
    final: Times = times(soak.system)
    requests = soak.workload.requests
    kinds = sorted(soak.injected.items(), key=lambda pair: int(pair[0].split()[0][1:]))
    counts = {
        word: sum(word in problem for problem in soak.problems) for word in ("lost", "doubled", "unbalanced", "I6")
    }
    return "\n".join(
        [
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, seed {seed}, {minutes:g} minutes",
            (
                f"orders accepted: {final.orders} (to reach: {ORDERS}); requests: {len(requests)},"
                f" sent {sum(len(request.answers) for request in requests)} times"
            ),
            f"answers: {dict(answered(requests).most_common())}",
            (
                f"faults injected: {sum(soak.injected.values())} of {len(soak.injected)} kinds"
                f" (to reach: {KINDS_OF_FAULTS})"
            ),
            *(f"  {count} x {name}" for name, count in kinds),
            (
                f"lost {counts['lost']}, doubled {counts['doubled']}, unbalanced {counts['unbalanced']},"
                f" events missing or repeated {counts['I6']} (to reach: 0)"
            ),
            (
                f"events heard by {len(soak.followers)} listeners: {sum(one.last for one in soak.followers)},"
                f" through {sum(one.breaks for one in soak.followers)} breaks"
            ),
            (
                f"seconds from acceptance to the final state, faults included: p50 {final.p50}, p99 {final.p99},"
                f" longest {final.longest}"
            ),
            (
                f"seconds until nothing was PENDING after the last fault was healed: longest {max(soak.drains):.2f}"
                f" of {len(soak.drains)} checks (to reach: {FINAL_S:g}, and the backlog at"
                f" {DRAIN_RATE} orders/s)"
            ),
            *(f"PROBLEM {problem}" for problem in soak.problems),
        ]
    )


def missed_totals(soak: Soak, minutes: float) -> list[str]:
    """Return the totals that a run of the full length must reach and has not."""
    if minutes < FULL_MINUTES:
        return []
    orders = times(soak.system).orders
    return missed(f"{ORDERS} orders accepted, instead of {orders}", orders >= ORDERS) + missed(
        f"{KINDS_OF_FAULTS} kinds of faults, instead of {len(soak.injected)}", len(soak.injected) >= KINDS_OF_FAULTS
    )


def measure(soak: Soak, series: Iterator[Measured]) -> str:
    """Return the lines of the measured series; a figure that is missed is a problem like any other."""
    text, before = "", len(soak.problems)
    try:
        for measured in series:
            say(measured.line)
            text += f"\n{measured.line}"
            soak.problems += measured.missed
    except Exception as error:  # noqa: BLE001  the run must end with a report
        soak.problems.append(f"measuring: {error!r}")
    return text + "".join(f"\nPROBLEM {problem}" for problem in soak.problems[before:])


def say(text: str) -> None:
    """Print a line with the time, unbuffered."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)


def main() -> int:
    """Run the soak and the measured series; exit 1 when anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randint(1, 10**6))
    parser.add_argument("--minutes", type=float, default=FULL_MINUTES)
    parser.add_argument("--backlog", type=int, default=10_000, help="orders queued before FLUSHALL")
    parser.add_argument("--stops", type=int, default=20, help="SIGTERMs of the whole dyno")
    parser.add_argument("--report", type=Path, default=ROOT / ".data" / "faults-report.txt")
    options = parser.parse_args()
    say(f"seed {options.seed}, {options.minutes:g} minutes")
    with tempfile.TemporaryDirectory(prefix="tradepost-soak-") as name:
        folder = Path(name)
        machine = Machine(folder / "servers")
        try:
            machine.start()
            machine.make_template()
            (folder / "soak").mkdir()
            soak = Soak(machine, folder / "soak", options.seed)
            try:
                soak.start(options.seed)
                soak.run(options.minutes)
                is_sound = not soak.problems
                soak.problems += missed_totals(soak, options.minutes)
                text = report(soak, options.seed, options.minutes)
            finally:
                soak.system.close()
            if is_sound and options.stops:
                text += measure(soak, every_series(machine, folder, options.seed, options.backlog, options.stops))
        finally:
            machine.close()
    options.report.parent.mkdir(parents=True, exist_ok=True)
    options.report.write_text(text + "\n")
    print(text)
    return 1 if soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())
