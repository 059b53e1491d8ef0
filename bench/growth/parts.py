"""The measurements that alternate between the databases, and the statistics of each."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from api.account import TRANSACTION_LIST
from api.orders import ORDER_LIST
from bench.clients.load import CONNECTIONS, HOST, Connection, LoadError, build_requests, exchange, place_orders
from bench.clients.pgbench import run_pgbench
from bench.growth.load import READER, account_id_of
from bench.growth.report import Comparison
from bench.growth.sides import Side
from bench.parts.backlog import fill, sweep_rate
from bench.reports.report import percentiles
from bench.seeding import ACCOUNTS
from models.database import Row, execute, fetch_all, fetch_one, session, unbounded
from tests.support.processes import wait_until
from trading.accounts.tokens import create_token
from trading.execution.executing import execute_orders
from trading.execution.sweeping import MAX_BATCH, sweep_once
from trading.upkeep.backlog import count_pending
from trading.upkeep.verify import verify

EXECUTION_BATCH = 200
PGBENCH_SECONDS = 4
BACKLOG = 10_000  # swept in a round
PAGE = 50
DEEP_PAGE = 10_000
EXECUTED_TIMEOUT_S = 30.0


def by_turns(sides: list[Side], rounds: int) -> Iterator[tuple[Side, bool]]:
    """Yield each side once a round, in alternating order, with False in the first round, which warms up."""
    for number in range(rounds + 1):
        for side in sides if number % 2 else sides[::-1]:
            side.enter()
            yield side, number > 0


def compare_throughput(sides: list[Side], rounds: int, seconds: int) -> list[Comparison]:
    """Compare placement over HTTP, sweeping, and execution in batches of orders that pgbench has placed."""
    placed, swept, executed = (
        Comparison("placements over HTTP, 16 connections", "orders/s"),
        Comparison("sweeping", "orders/s"),
        Comparison("execution in batches of 200", "orders/s"),
    )
    for side, counts in by_turns(sides, rounds):
        services = side.services
        requests = build_requests(ACCOUNTS, port=services.port)
        load = place_orders(services.port, requests, connections=CONNECTIONS, seconds=seconds)
        if load.errors:
            raise LoadError(str(load.errors))
        services.redis.flushdb()
        sweep_all()
        fill(BACKLOG)
        sweeping = sweep_rate(BACKLOG, limit=MAX_BATCH)
        run_pgbench(services.database_url, accounts=ACCOUNTS, clients=CONNECTIONS, seconds=PGBENCH_SECONDS)
        execution = _rate(_execute_all)
        if counts:
            placed.add(side.name, load.orders_per_second)
            swept.add(side.name, sweeping)
            executed.add(side.name, execution)
    return [placed, executed, swept]


def compare_latency(sides: list[Side], rounds: int, orders: int) -> list[Comparison]:
    """Compare the time from acceptance to execution of single orders on an idle system."""
    latency = Comparison("accepted to EXECUTED, idle", "ms", is_rate=False)
    workers = []
    for side in sides:
        side.enter()
        workers.append(side.services.start_worker())
    for side, counts in by_turns(sides, rounds):
        milliseconds = _delays_ms(side, orders)
        if counts:
            latency.add(side.name, percentiles(milliseconds)["p50_ms"])
    for worker in workers:
        worker.terminate()
    return [latency]


def compare_reads(sides: list[Side], rounds: int, requests: int) -> list[Comparison]:
    """Compare the p50 of reading the reader's lists and events over one connection."""
    found: dict[str, Comparison] = {}
    tokens = {}
    for side in sides:
        side.enter()
        tokens[side.name] = create_token(["read"], account_id_of(READER))[1]
    for side, counts in by_turns(sides, rounds):
        link = Connection(side.services.port)
        for name, path in _paths().items():
            latencies = [_get_ms(link, side, path, tokens[side.name]) for _ in range(requests)]
            if counts:
                comparison = found.setdefault(name, Comparison(name, "ms", is_rate=False))
                comparison.add(side.name, percentiles(latencies)["p50_ms"])
        link.socket.close()
    return list(found.values())


def time_verification(sides: list[Side]) -> dict[str, Any]:
    """Return the seconds of `ledger verify` on each side, and the violations."""
    seconds, wrong = {}, []
    for side in sides:
        side.enter()
        began = time.monotonic()
        wrong += [f"{side.name}: {violation}" for violation in verify()]
        seconds[side.name] = time.monotonic() - began
    return {"seconds": seconds, "wrong": wrong}


def table_statistics(side: Side) -> list[dict[str, Any]]:
    """Return the counts of rows and scans by table since the last reset of the server's counters."""
    side.enter()
    with session():
        return fetch_all(
            'SELECT relname AS "table", n_tup_ins AS inserted, n_tup_upd AS updated, n_tup_hot_upd AS hot,'
            " seq_scan AS sequential_scans FROM pg_stat_user_tables WHERE relname IN"
            " ('account', 'position', 'trading_order', 'fund_transaction', 'event') ORDER BY relname"
        )


def reset_statistics(side: Side) -> None:
    """Reset the counters of the server."""
    side.enter()
    with session():
        execute("SELECT pg_stat_reset()")


def _rate(work: Callable[[], int]) -> float:
    began = time.perf_counter()
    done = work()
    return done / (time.perf_counter() - began)


def sweep_all() -> int:
    """Execute all PENDING orders with sweeps, and return their number."""
    executed = 0
    while (counts := sweep_once(limit=MAX_BATCH)).claimed:
        executed += counts.executed
    return executed


def _execute_all() -> int:
    with session():
        rows = fetch_all("SELECT id FROM trading_order WHERE status = 'PENDING' ORDER BY placed_at, id")
    ids = [row["id"] for row in rows]
    batches = (ids[start : start + EXECUTION_BATCH] for start in range(0, len(ids), EXECUTION_BATCH))
    return sum(execute_orders(batch).executed for batch in batches)


def _delays_ms(side: Side, orders: int) -> list[float]:
    """Place orders with pauses, wait until all are executed, and return the milliseconds of each."""
    link, ids = Connection(side.services.port), []
    for request in build_requests(ACCOUNTS, port=side.services.port)[:orders]:
        ids.append(json.loads(exchange(link, request)[1].partition(b"\r\n\r\n")[2])["orderId"])
        time.sleep(0.1)
    link.socket.close()
    wait_until(lambda: count_pending() == 0, timeout_s=EXECUTED_TIMEOUT_S)
    with session():
        rows = fetch_all("SELECT placed_at, executed_at FROM trading_order WHERE id = ANY(%s::uuid[])", (ids,))
    return [(row["executed_at"] - row["placed_at"]).total_seconds() * 1000 for row in rows]


def _paths() -> dict[str, str]:
    """Return the requests of the reader by figure; a deep page is page 10,000, or the last one."""
    reader = account_id_of(READER)
    order = ORDER_LIST.keyset.encode(_row_above("trading_order", "placed_at, id", reader))
    entry = TRANSACTION_LIST.keyset.encode(_row_above("fund_transaction", "id", reader))
    with session():
        row = fetch_one("SELECT min(id) AS first, max(id) AS last FROM event WHERE account_id = %s", (reader,))
    assert row is not None
    return {
        "order list, first page": "orders?",
        "order list, page 10,000": f"orders?cursor={order}",
        "transactions, first page": "transactions?",
        "transactions, page 10,000": f"transactions?cursor={entry}",
        "event replay from the oldest": f"events?since={row['first'] - 1}",
        "event replay, last 50": f"events?since={row['last'] - PAGE}",
    }


def _row_above(table: str, columns: str, reader: UUID) -> Row:
    """Return the columns of the row before a deep page that its cursor needs."""
    order = ", ".join(f"{column} DESC" for column in columns.split(", "))
    with unbounded():
        row = fetch_one(
            f"SELECT {columns} FROM {table} WHERE account_id = %(reader)s ORDER BY {order} LIMIT 1"
            f" OFFSET least(%(deep)s, (SELECT count(*) FROM {table} WHERE account_id = %(reader)s) - %(page)s - 1)",
            {"reader": reader, "deep": (DEEP_PAGE - 1) * PAGE - 1, "page": PAGE},
        )
    assert row is not None
    return row


def _get_ms(link: Connection, side: Side, path: str, token: str) -> float:
    head = f"GET /api/trading/{path}&limit={PAGE} HTTP/1.1\r\nHost: {HOST}:{side.services.port}\r\n"
    return exchange(link, f"{head}Authorization: Bearer {token}\r\n\r\n".encode())[0]
