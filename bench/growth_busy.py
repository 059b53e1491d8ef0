"""What a loaded service does on both databases by turns: one account, the slowest hundredth, execution beside."""

import time

from bench.growth_parts import CONNECTIONS, by_turns, sweep_all
from bench.growth_report import Comparison
from bench.growth_sides import Side
from bench.load import Load, LoadError, build_requests, place_orders
from bench.pace import place_at_pace
from bench.report import percentiles
from bench.seeding import ACCOUNTS
from trading.sweeping import count_pending

PACE = 500.0  # orders per second, about half of what 16 connections reach


def compare_busy(sides: list[Side], rounds: int, seconds: int) -> list[Comparison]:
    """Place on one account, at half the pace, and with the worker running beside."""
    one, tail, both = (
        Comparison("placements on one account, 16 connections", "orders/s"),
        Comparison(f"placement p99 at {PACE:g} orders/s", "ms", is_rate=False),
        Comparison("placed and executed, 16 connections", "orders/s"),
    )
    for side, counts in by_turns(sides, rounds):
        rate = _checked(side, _place(side, 1, seconds)).orders_per_second
        requests = build_requests(ACCOUNTS, port=side.services.port)
        paced = place_at_pace(side.services.port, requests, connections=CONNECTIONS, seconds=2 * seconds, rate=PACE)
        p99 = percentiles(_checked(side, paced).latencies_ms)["p99_ms"]
        executed = _executed_per_second(side, seconds)
        if counts:
            one.add(side.name, rate)
            tail.add(side.name, p99)
            both.add(side.name, executed)
    return [one, tail, both]


def _place(side: Side, accounts: int, seconds: int) -> Load:
    requests = build_requests(accounts, port=side.services.port)
    return place_orders(side.services.port, requests, connections=CONNECTIONS, seconds=seconds)


def _executed_per_second(side: Side, seconds: int) -> float:
    worker = side.services.start_worker()
    began = time.monotonic()
    load = _place(side, ACCOUNTS, seconds)
    rate = (load.placed - count_pending()) / (time.monotonic() - began)
    worker.terminate()
    _checked(side, load)
    return rate


def _checked(side: Side, load: Load) -> Load:
    """Execute what is left of a load, so that the next one starts alike."""
    if load.errors:
        raise LoadError(str(load.errors))
    side.services.redis.flushdb()
    sweep_all()
    return load
