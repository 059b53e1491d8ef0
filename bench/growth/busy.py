"""Figures of a loaded service, alternating between the databases: one account, p99, placement with execution."""

from bench.clients.load import CONNECTIONS, LoadError
from bench.growth.parts import by_turns, sweep_all
from bench.growth.report import Comparison
from bench.growth.sides import Side
from bench.parts.placement import Bench
from bench.parts.throughput import executed_per_second
from bench.reports.report import percentiles
from bench.seeding import ACCOUNTS


def compare_busy(sides: list[Side], rounds: int, seconds: int) -> list[Comparison]:
    """Compare placement on one account, at half the pace, and with a worker running."""
    benches = {side.name: Bench(side.services, seconds, rounds) for side in sides}
    pace = min(half_rate(side, benches[side.name]) for side in sides)
    one, tail, both = (
        Comparison("placements on one account, 16 connections", "orders/s"),
        Comparison(f"placement p99 at half the pace, {pace:.0f} orders/s", "ms", is_rate=False),
        Comparison("placed and executed, 16 connections", "orders/s"),
    )
    for side, counts in by_turns(sides, rounds):
        bench = benches[side.name]
        on_one = bench.place(accounts=1, connections=CONNECTIONS)
        _settle(bench)
        paced = bench.pace(accounts=ACCOUNTS, connections=CONNECTIONS, rate=pace, seconds=2 * seconds)
        _settle(bench)
        executed, _ = executed_per_second(bench, seconds)
        _settle(bench)
        if counts:
            one.add(side.name, on_one.orders_per_second)
            tail.add(side.name, percentiles(paced.latencies_ms)["p99_ms"])
            both.add(side.name, executed)
    return [one, tail, both]


def half_rate(side: Side, bench: Bench) -> float:
    """Return half of the orders per second of 16 connections on a side."""
    side.enter()
    load = bench.place(accounts=ACCOUNTS, connections=CONNECTIONS)
    _settle(bench)
    return load.orders_per_second / 2


def _settle(bench: Bench) -> None:
    """Execute all PENDING orders, so that every load starts alike."""
    if bench.errors:
        raise LoadError(str(bench.errors))
    bench.services.redis.flushdb()
    sweep_all()
