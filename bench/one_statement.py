"""Compare placement by one statement with placement in steps, over HTTP: `python -m bench.one_statement`."""

import sys
from statistics import median

from honcho.environ import parse_procfile

from bench.clients.load import CONNECTIONS, build_requests, place_orders
from bench.profiling import processor_s
from bench.reports.figures import number
from bench.seeding import ACCOUNTS
from bench.services import Services, running
from embedded.interruption import Interruption
from tests.support.processes import ROOT, Running, free_port
from trading.upkeep.verify import verify

ROUNDS, SECONDS = 7, 4.0
APPLICATION, IN_STEPS = "api:create_app()", "bench.in_steps:create_app()"


def main() -> int:
    """Place alternately, print the medians of both sides, and return 0 if the ledgers are right."""
    interruption = Interruption()
    interruption.install()
    with running(interruption) as services:
        print(", ".join(f"{name} {value}" for name, value in services.versions().items()))
        sides = {"one statement": services.web, "in steps": _web_in_steps(services)}
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
        for turn in range(ROUNDS + 1):
            for name, web in sides.items() if turn % 2 else reversed(sides.items()):
                round_of = _round(services, web)
                if turn:  # the first turn warms up
                    found[name].append(round_of)
        wrong = verify()
    for name, rounds in found.items():
        rate, milliseconds = (median(column) for column in zip(*rounds, strict=True))
        print(f"{name:14s} {number(rate)} orders/s, {number(milliseconds)} ms of processor per order, all processes")
    for violation in wrong:
        print(f"WRONG: {violation}")
    if not wrong:
        print("the ledgers are right")
    return 1 if wrong else 0


def _web_in_steps(services: Services) -> Running:
    command = dict(parse_procfile((ROOT / "Procfile").read_text()).processes)["web"]
    assert APPLICATION in command, f"the web process of the Procfile does not name {APPLICATION}"
    port = free_port()
    environment = {**services.starter.environment, "PORT": str(port)}
    web = Running(command.replace(APPLICATION, IN_STEPS), environment, services.starter.folder / "steps.log", port)
    services.starter.started.append(web)
    return web.wait_until_ready()


def _round(services: Services, web: Running) -> tuple[float, float]:
    """Return the orders per second and the milliseconds of processor time per order."""
    assert web.port is not None
    before = sum(processor_s(services).values())
    load = place_orders(web.port, build_requests(ACCOUNTS, port=web.port), connections=CONNECTIONS, seconds=SECONDS)
    used_s = sum(processor_s(services).values()) - before
    assert not load.errors, load.errors
    services.settle()
    return load.orders_per_second, 1000 * used_s / load.placed


if __name__ == "__main__":
    sys.exit(main())
