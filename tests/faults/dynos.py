"""The orders that two dynos of each kind place and execute beside one, near their servers and far."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from bench.clients.load import Load, build_requests, place_orders
from bench.seeding import (
    ACCOUNT_PREFIX,
    ACCOUNTS,
    EXCHANGE,
    INSERT_ACCOUNTS,
    INSERT_DEPOSITS,
    INSERT_TOKENS,
    OPENING_BALANCE,
    PRICE,
    STOCKS,
    TOKEN_PREFIX,
    symbol_of,
)
from tests.faults.checks import drain, pending_orders, unbalanced
from tests.faults.hosts import WEBS, HostMachine, Hosts

CONNECTIONS = 32  # in all, at one web command or at two
WARM_UP_S, ALONE_S = 1.5, 2.0
APART_MS = (0.0, 0.5, 5.0)


def measure_dynos(machine: HostMachine, folder: Path, seconds: float) -> Iterator[str]:
    """Return one line for each distance and each number of dynos."""
    for apart_ms in APART_MS:
        for count in (1, 2):
            place = folder / f"dynos-{apart_ms:g}-{count}"
            place.mkdir()
            machine.start()
            system = Hosts(machine, place, apart_ms=apart_ms, RATE_LIMIT_ORDERS="off")
            try:
                yield _measure(system.start(count, count), count, apart_ms, seconds)
            finally:
                system.close()


def _measure(system: Hosts, count: int, apart_ms: float, seconds: float) -> str:
    _seed(system)
    _load(system, count, WARM_UP_S)
    drain(system)
    alone = sorted(_load(system, 1, ALONE_S, connections=1)[0].latencies_ms)
    drain(system)
    loads = _load(system, count, seconds)
    left = pending_orders(system)
    placed = sum(load.placed for load in loads)
    in_time = sum(load.placed_in_time for load in loads)
    latencies = sorted(latency for load in loads for latency in load.latencies_ms)
    errors = sum(sum(load.errors.values()) for load in loads)
    drain(system)
    assert not (wrong := unbalanced(system)), wrong
    return (
        f"{count} web and {count} worker dynos, {apart_ms:g} ms away: {in_time / seconds:.0f} orders placed"
        f" and {(placed - left) / seconds:.0f} executed a second, 202 after"
        f" p50 {latencies[len(latencies) // 2]:.1f} ms, p99 {latencies[len(latencies) * 99 // 100]:.1f} ms;"
        f" with one connection p50 {alone[len(alone) // 2]:.1f} ms; errors: {errors}"
    )


def _load(system: Hosts, count: int, seconds: float, connections: int = CONNECTIONS) -> list[Load]:
    """Place orders at each web command from its own host, which takes no way over the network."""

    def place(host: str) -> Load:
        port = system.doors[host].port
        prepared = build_requests(ACCOUNTS, port=port, random_seed=WEBS.index(host) + 1)
        return system.network.inside(
            host, lambda: place_orders(port, prepared, connections=connections // count, seconds=seconds)
        )

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(place, WEBS[:count]))


def _seed(system: Hosts) -> None:
    parameters = {
        "account_prefix": ACCOUNT_PREFIX,
        "token_prefix": TOKEN_PREFIX,
        "accounts": ACCOUNTS,
        "balance": OPENING_BALANCE,
    }
    connection = system.connect()
    try:
        with connection.cursor() as cursor:
            for statement in (INSERT_ACCOUNTS, INSERT_DEPOSITS, INSERT_TOKENS):
                cursor.execute(statement, parameters)
    finally:
        connection.close()
    quotes = [
        {"exchange": EXCHANGE, "symbol": symbol_of(number), "lastPrice": str(PRICE)} for number in range(1, STOCKS + 1)
    ]
    headers = {"Authorization": f"Bearer {system.admin_token}"}
    url = f"{system.base_url}/api/market/quotes"
    answer = requests.put(url, json={"quotes": quotes}, headers=headers, timeout=30)
    assert answer.status_code == 204, answer.text
