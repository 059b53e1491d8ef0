"""Compare placements through Kite's official Python client with those at the first door: `python -m bench.kite`."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from bench.reports.report import percentiles
from bench.seeding import token_of
from bench.services import Services, run_to_the_end, running
from embedded.interruption import Interruption
from tests.support.kite_clients import PYTHON, NoClientError, python_path
from trading.upkeep.verify import verify

RATIO_ALLOWED = 1.3
PROGRAM = Path(__file__).with_name("clients") / "kite_orders.py"


class KiteBenchError(Exception):
    """The program of the client has failed."""


def compare(options: argparse.Namespace, interruption: Interruption) -> int:
    """Place orders by both doors in turns while a worker runs; return 0 if the ratio is reached and the books right."""
    with running(interruption, web_concurrency=1) as services:
        print(", ".join(f"{name} {value}" for name, value in services.versions().items()))
        services.start_worker()
        took_ms = _place(services, options)
        services.settle()
        wrong = verify()
    for name, of_door in took_ms.items():
        shown = ", ".join(f"{value:.2f}" for value in percentiles(of_door).values())
        print(f"{name:10s} {len(of_door)} orders; p50, p95, p99: {shown} ms")
    ratio = median(took_ms["kite"]) / median(took_ms["first door"])
    print(f"ratio of the p50 {ratio:.3f}, allowed {RATIO_ALLOWED}: {'reached' if ratio <= RATIO_ALLOWED else 'MISSED'}")
    for violation in wrong:
        print(f"WRONG: {violation}")
    return 1 if wrong or ratio > RATIO_ALLOWED else 0


def _place(services: Services, options: argparse.Namespace) -> dict[str, list[float]]:
    """Return the milliseconds of each order by door."""
    environment = os.environ | {"PYTHONPATH": python_path(PYTHON[0]), "NO_PROXY": "127.0.0.1"}
    address = f"http://127.0.0.1:{services.port}"
    command = [sys.executable, "-S", str(PROGRAM), address, token_of(1), str(options.turns), str(options.orders)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise KiteBenchError(done.stderr.strip().splitlines()[-1])
    found: dict[str, list[float]] = json.loads(done.stdout)
    return found


def main() -> int:
    """Compare the doors, and return 0 if nothing is wrong."""
    parser = argparse.ArgumentParser(prog="python -m bench.kite", description=__doc__)
    parser.add_argument("--turns", type=int, default=20, help="turns of each door (20)")
    parser.add_argument("--orders", type=int, default=100, help="orders of a turn (100)")
    options = parser.parse_args()
    failures = (NoClientError, KiteBenchError)
    return run_to_the_end(lambda interruption: compare(options, interruption), *failures)


if __name__ == "__main__":
    sys.exit(main())
