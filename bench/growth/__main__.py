"""Measure every figure alternately on 5 million orders and on empty tables: `make bench-growth`."""

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.clients.load import LoadError
from bench.clients.pgbench import PgbenchError
from bench.growth import parts as parts
from bench.growth import report as report
from bench.growth.busy import compare_busy
from bench.growth.load import LoadingError, Volume, load, sizes
from bench.growth.months import detach_months
from bench.growth.profiles import profile_busy
from bench.growth.retention import finish_retention, measure_retention
from bench.growth.sides import EMPTY, FULL, TENTH, Side, point_at, running_sides, server
from bench.reports.page import GROWTH
from bench.seeding import seed
from bench.services import run_to_the_end
from embedded.interruption import Interruption
from embedded.postgres import Postgres
from models import migrate, partitions
from models.database import DatabaseUnavailable
from models.partitions import Month
from runtime import logs

# The rows of the empty side: all belong to the reader, whose lists are read.
LITTLE = Volume(orders=1_200, events=5_200, reader_every=1)
# Retention comes first, because in a running system the worker has already deleted the old events.
PARTS = ("load", "retention", "throughput", "busy", "latency", "reads", "profiles", "verify")


def main() -> int:
    """Run the benchmark and return 0 if no check has failed, whether or not the goals are reached."""
    options = _options()
    logs.configure("WARNING", "text")
    failures = (LoadError, LoadingError, PgbenchError, DatabaseUnavailable)
    return run_to_the_end(lambda interruption: _start(interruption, options), *failures)


def _start(interruption: Interruption, options: argparse.Namespace) -> int:
    with _folder(options.folder) as folder, server(interruption, folder) as postgres:
        return _run(interruption, postgres, options)


def _run(interruption: Interruption, postgres: Postgres, options: argparse.Namespace) -> int:
    results: dict[str, Any] = {"measured_at": datetime.now(UTC).isoformat(timespec="minutes")}
    if options.json.exists() and "load" not in options.parts:
        results = json.loads(options.json.read_text()) | results
    if "load" in options.parts:
        results["load"] = _load(postgres, Volume(options.orders, options.events), options.by_month)
        _keep(results, options.json)
    if set(options.parts) - {"load"}:
        with running_sides(interruption, postgres) as all_sides:
            all_sides[0].enter()
            results["versions"] = all_sides[0].services.versions()
            for part in options.parts:
                _measure(part, all_sides, options, results)
                _keep(results, options.json)
    print(report.text(results))
    return 1 if results.get("verify", {}).get("wrong") else 0


def _load(postgres: Postgres, volume: Volume, by_month: bool) -> dict[str, Any]:
    """Load the databases, and return the load times and the sizes of the full one."""
    tenth = Volume(volume.orders // 10, volume.events // 10)
    for name, amount in ((EMPTY, LITTLE), (TENTH, tenth), (FULL, volume)):
        _progress(f"loading {amount.orders:,} orders into the {name} database")
        point_at(postgres.url(name))
        migrate.upgrade()
        if by_month and name == FULL:
            partitions.split(Month.of(amount.began_at.date()).following)
        seed()
        seconds = load(postgres.url(name), amount, _progress)
    orders = {EMPTY: LITTLE.orders, TENTH: tenth.orders, FULL: volume.orders}
    return {"orders": orders, "seconds": seconds, "sizes": sizes()}


def _measure(part: str, sides: list[Side], options: argparse.Namespace, results: dict[str, Any]) -> None:
    _progress(part)
    if part == "throughput":
        for side in sides:
            parts.reset_statistics(side)
        compared = parts.compare_throughput(sides, options.rounds, options.seconds)
        results["statistics"] = {side.name: parts.table_statistics(side) for side in sides}
    elif part == "busy":
        compared = compare_busy(sides, options.rounds, options.seconds)
    elif part == "latency":
        compared = parts.compare_latency(sides, options.rounds, options.requests)
    elif part == "reads":
        compared = parts.compare_reads(sides, options.rounds, options.requests)
    elif part == "retention":
        results[part] = measure_retention(sides[-1], options.seconds)
        finish_retention(sides)
        return
    elif part == "profiles":
        results[part] = profile_busy(sides, options.seconds)
        return
    elif part == "months":
        results[part] = detach_months(sides[-1])
        return
    elif part == "verify":
        results[part] = parts.time_verification(sides)
        return
    else:
        return
    results[part] = [comparison.as_dict() for comparison in compared]


@contextlib.contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="growth-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _keep(results: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


def _progress(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.growth", description=__doc__)
    parser.add_argument("parts", nargs="*", default=PARTS, metavar="PART", help=f"of {', '.join(PARTS)} (all)")
    parser.add_argument("--orders", type=int, default=5_000_000, help="orders to load (5000000)")
    parser.add_argument("--events", type=int, default=10_000_000, help="events of the last 8 days to load (10000000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each comparison (5)")
    parser.add_argument("--seconds", type=int, default=4, help="seconds of a round of placements (4)")
    parser.add_argument("--requests", type=int, default=40, help="sequential requests of a round (40)")
    parser.add_argument(
        "--by-month", action="store_true", help="store the orders and entries of the full side by month"
    )
    parser.add_argument("--folder", type=Path, help="a folder to keep the databases in, for runs of single parts")
    parser.add_argument("--json", type=Path, metavar="FILE", default=GROWTH, help="the file for the results")
    options = parser.parse_args()
    if unknown := set(options.parts) - {*PARTS, "months"}:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    if min(options.orders, options.events, options.rounds, options.seconds, options.requests) < 1:
        parser.error("every number must be at least 1")
    return options


if __name__ == "__main__":
    sys.exit(main())
