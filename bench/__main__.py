"""Measure every figure together with its reference: `make bench`, about 15 minutes on two cores."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import product
from typing import Any

from bench.clients.load import CONNECTIONS, LoadError
from bench.clients.pgbench import PgbenchError
from bench.parts import matching, profiles
from bench.parts.backlog import PENDING, sweeping
from bench.parts.placement import Bench
from bench.parts.prompt import ORDERS, accepted_to_executed, idle_cost, start_sides
from bench.parts.quote_to_fill import quote_to_fill
from bench.parts.resting import fill_resting, quote_stocks
from bench.parts.starting import start_of_make_run
from bench.parts.throughput import beside_the_worker, placed_and_executed, placements, tail
from bench.profiling import Profile
from bench.reports.figures import Figure
from bench.reports.page import LATEST, MATCHING, RESULTS, matched, section
from bench.reports.report import PlacementRow
from bench.seeding import ACCOUNTS
from bench.services import run_to_the_end, running
from embedded.interruption import Interruption
from models.database import DatabaseUnavailable

OTHER_CONNECTIONS = (1, 64)  # beside the 16 of the figures
# A longer round, in which a single wait for the disk affects less than one percent of the orders.
TAIL_ROUNDS = 5.0
RESTING, CROSSED, EXPIRED = 100_000, 10_000, 20_000
PARTS = ("load", "sweep", "idle", "start", "matching")


@dataclass
class Results:
    """The results of a run."""

    figures: list[Figure] = field(default_factory=list)
    curves: dict[str, Any] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Run:
    """One run through the selected parts."""

    def __init__(self, options: argparse.Namespace, interruption: Interruption) -> None:
        self.options, self.interruption = options, interruption
        self.results = Results()
        self.folder = RESULTS / "profiles"

    def main(self) -> int:
        """Measure the selected parts, print and store the results; return 0 if no check has failed."""
        began = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        if {"load", "sweep"} & set(self.options.parts):
            self._busy()
        if "idle" in self.options.parts:
            self._idle()
        if "start" in self.options.parts:
            self._start()
        if "matching" in self.options.parts:
            self._matching()
        if self.results.figures:
            document = self._document(time.monotonic() - began)
            LATEST.write_text(json.dumps(document, indent=1) + "\n")
            print(section(document))
        for line in [f"WRONG: {fact}" for fact in self.results.wrong] or ["the ledgers are right, no order is missing"]:
            print(line)
        return 1 if self.results.wrong else 0

    def _busy(self) -> None:
        """Measure the figures under load, all on one service."""
        options, results = self.options, self.results
        with running(self.interruption) as services:
            results.versions = services.versions()
            bench = Bench(services, options.seconds, options.rounds)
            _progress("warm-up")
            bench.warm_up()
            rate = self._placing(bench) if "load" in options.parts else 0.0
            if "sweep" in options.parts:
                _progress(f"sweeping {options.pending} orders")
                results.figures.append(sweeping(bench, pending=options.pending))
            if options.profiles and rate:
                _progress("profiles under load")
                seconds, pending = options.profile_seconds, max(ACCOUNTS, options.pending // 10)
                found = profiles.under_load(bench, self.folder, seconds=seconds, half_rate=rate / 2, pending=pending)
                results.profiles |= found
            _progress("ledger verify")
            results.wrong += bench.check()

    def _placing(self, bench: Bench) -> float:
        options, results = self.options, self.results
        rows: list[PlacementRow] = []
        for accounts in (ACCOUNTS, 1):
            _progress(f"{CONNECTIONS} connections, {accounts} accounts")
            row, figure = placements(bench, accounts=accounts)
            results.figures.append(figure)
            rows.append(row)
        rate = results.figures[0].value
        _progress("half of that load")
        paced, figure = tail(bench, full_rate=rate, seconds=TAIL_ROUNDS * options.seconds)
        results.figures.append(figure)
        _progress("placing and executing")
        figure = placed_and_executed(bench, seconds=options.seconds, sustained_seconds=options.sustained_seconds)
        results.figures.append(figure)
        _progress("placements with the worker stopped and running")
        results.figures += beside_the_worker(bench)
        for accounts, connections in product((ACCOUNTS, 1), OTHER_CONNECTIONS):
            _progress(f"{connections} connections, {accounts} accounts")
            rows.append(bench.compare(accounts=accounts, connections=connections))
        results.curves["connections"] = [row.as_dict() for row in rows]
        results.curves["latencies"] = {
            f"{CONNECTIONS} connections, as fast as answers come": cuts(rows[0].latencies_ms),
            "half of that rate": cuts(paced),
            "1 connection": cuts(rows[2].latencies_ms),
        }
        return rate

    def _idle(self) -> None:
        """Measure the figures of an idle machine, on two services that differ in the worker's consumer."""
        options, results = self.options, self.results
        with (
            running(self.interruption, web_concurrency=1) as ours,
            running(self.interruption, web_concurrency=1) as stock,
        ):
            results.versions = results.versions or ours.versions()
            sides = start_sides(ours, stock)
            _progress("idle workers")
            figures = idle_cost(sides, rounds=options.rounds, seconds=2.0 * options.seconds)
            _progress(f"{options.orders} orders one by one on each side")
            delays, figure = accepted_to_executed(sides, rounds=options.rounds, orders=options.orders)
            results.figures += [figure, *figures]
            results.curves["delays"] = {"a blocking read": cuts(delays[0]), "Dramatiq's consumer": cuts(delays[1])}
            if options.profiles:
                _progress("profiles of an idle worker")
                results.profiles |= profiles.when_idle(sides[0], self.folder, seconds=options.profile_seconds)
            for side in sides:
                results.wrong += side.check()

    def _matching(self) -> None:
        """Measure the market on two services, of which one has resting orders, and store its figures by themselves."""
        options, figures = self.options, list[Figure]()
        began = time.monotonic()
        with running(self.interruption) as none, running(self.interruption) as full:
            _progress(f"{options.resting} resting orders")
            none.use()
            quote_stocks()
            full.use()
            resting = fill_resting(options.resting)
            _progress("1,000 quotes in a request")
            sides = {0: none, resting: full}
            figures.append(matching.quotes_beside_resting(sides, rounds=options.rounds, seconds=float(options.seconds)))
            _progress("1,000 quotes a second")
            figures.append(matching.quotes_at_pace(full, seconds=5.0 * options.seconds))
            self.results.wrong += matching.check(full)
            none.use()
            _progress("quotes to fills")
            figures += quote_to_fill(none, rounds=options.rounds, orders=options.orders)
            _progress(f"a quote that crosses {options.crossed} orders")
            figures += matching.crossed_at_once(none, rounds=options.rounds, orders=options.crossed)
            _progress(f"{options.expired} orders that expire")
            figures.append(matching.expiry(none, orders=options.expired))
            self.results.wrong += matching.check(none)
            self.results.versions = self.results.versions or none.versions()
        document = self._document(time.monotonic() - began) | {
            "resting": resting,
            "figures": [figure.as_dict() for figure in figures],
            "curves": {},
            "profiles": {},
        }
        MATCHING.write_text(json.dumps(document, indent=1) + "\n")
        print("\n".join(matched(document)), end="\n\n")

    def _start(self) -> None:
        _progress("starts of make run")
        steps, figure = start_of_make_run(rounds=self.options.rounds)
        self.results.figures.append(figure)
        profile = Profile("start")
        profile.steps["the last start's steps (s); what is left is web and worker coming up"] = list(steps.items())
        self.results.profiles["start"] = profile

    def _document(self, took_s: float) -> dict[str, Any]:
        results = self.results
        return {
            "measured_at": datetime.now(UTC).isoformat(timespec="minutes"),
            "took_seconds": round(took_s),
            "rounds": self.options.rounds,
            "seconds": self.options.seconds,
            "machine": {"cores": os.cpu_count(), "system": platform.system(), "python": platform.python_version()},
            "versions": results.versions,
            "figures": [figure.as_dict() for figure in results.figures],
            "curves": results.curves,
            "profiles": {name: asdict(profile) for name, profile in results.profiles.items()},
            "wrong": results.wrong,
        }


def cuts(latencies_ms: list[float]) -> list[float]:
    """Return a distribution as 201 points, from the smallest to the largest value."""
    ordered = sorted(latencies_ms) or [0.0]
    return [round(ordered[round(point / 200 * (len(ordered) - 1))], 3) for point in range(201)]


def main() -> int:
    """Run the benchmark and return 0 if no check has failed, whether or not the goals are reached."""
    options = _options()
    failures = (LoadError, PgbenchError, DatabaseUnavailable)
    return run_to_the_end(lambda interruption: Run(options, interruption).main(), *failures)


def _progress(text: str) -> None:
    print(f"{datetime.now():%H:%M:%S} {text}", file=sys.stderr, flush=True)  # noqa: DTZ005


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="the parts to run (all)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each comparison (5)")
    parser.add_argument("--seconds", type=int, default=2, help="seconds of a round (2)")
    parser.add_argument("--sustained-seconds", type=float, default=60.0, help="seconds of placing and executing (60)")
    parser.add_argument("--pending", type=int, default=PENDING, help=f"PENDING orders to sweep ({PENDING})")
    parser.add_argument("--orders", type=int, default=ORDERS, help=f"orders one by one on an idle system ({ORDERS})")
    parser.add_argument("--resting", type=int, default=RESTING, help=f"orders that rest beside quotes ({RESTING})")
    parser.add_argument("--crossed", type=int, default=CROSSED, help=f"orders that one quote crosses ({CROSSED})")
    parser.add_argument("--expired", type=int, default=EXPIRED, help=f"orders that expire at once ({EXPIRED})")
    parser.add_argument("--profile-seconds", type=float, default=5.0, help="seconds of a profile (5)")
    parser.add_argument("--no-profiles", dest="profiles", action="store_false", help="take no profiles")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
