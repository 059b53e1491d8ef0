"""The time from a quote to the fill that it makes and to its event on a socket, on an idle system."""

import json
import time
from decimal import Decimal
from statistics import median
from typing import Any

from bench.clients.load import Connection, exchange, request
from bench.clients.streams import Crowd, unix_time
from bench.door_to_socket import LOG_LINE, LOG_STEP
from bench.parts.resting import ABOVE, LIMIT, RESTING_PREFIX, Feeder
from bench.reports.figures import Figure
from bench.reports.report import percentiles
from bench.seeding import EXCHANGE, token_of
from bench.services import Services
from models.database import execute, transactional

ORDERS = 100
PAUSE_S = 0.1  # until the system is idle
FILL_P50_MS, FILL_P99_MS, SOCKET_P50_MS = 10.0, 30.0, 13.0
# This account's orders rest; its number is apart from those that other parts use alone.
ACCOUNT, STOCK = 2, 1


@transactional
def let_orders_rest() -> None:
    """Let the orders of the account rest."""
    execute("UPDATE account SET fill_model = 'QUOTES' WHERE name = %s", (f"Bench {ACCOUNT}",))


def quote_to_fill(services: Services, *, rounds: int, orders: int = ORDERS) -> list[Figure]:
    """Let one order after the other rest and cross it by a quote; by turns place one that fills at its first look."""
    services.use()
    let_orders_rest()
    feeder, link = Feeder(services), Connection(services.port)
    above, reach = (feeder.request([STOCK], price) for price in (ABOVE, LIMIT))
    worker, crowd = services.start_worker(LOG_FORMAT="json"), Crowd(services.port)
    crowd.join([token_of(ACCOUNT)])
    crossed, at_once = list[tuple[float, dict[str, Any], float]](), list[float]()
    for number in range(orders + 5):
        feeder.send(above, accepted=1)
        _place(services, link, LIMIT)
        _wait_for(crowd, "order.open")
        time.sleep(PAUSE_S)
        sent_at = time.time()
        feeder.send(reach, accepted=1)
        executed, received_at = _wait_for(crowd, "order.executed")
        time.sleep(PAUSE_S)
        begun_at = time.time()
        _place(services, link, LIMIT)
        _, filled_at = _wait_for(crowd, "order.executed")
        if number >= 5:  # the first ones warm up
            crossed.append((sent_at, executed, received_at))
            at_once.append((filled_at - begun_at) * 1000)
        time.sleep(PAUSE_S)
    crowd.leave()
    link.socket.close()
    commits_ms = _commits_ms(worker.log)
    worker.terminate()
    fills = [
        (unix_time(event["at"]) - sent_at) * 1000 + commits_ms[event["data"]["orderId"]]
        for sent_at, event, _ in crossed
    ]
    sockets = [(received_at - sent_at) * 1000 for sent_at, _, received_at in crossed]
    return _figures(fills, sockets, at_once, rounds)


def _figures(fills: list[float], sockets: list[float], at_once: list[float], rounds: int) -> list[Figure]:
    found = {name: percentiles(values) for name, values in (("fill", fills), ("socket", sockets))}
    parts = [_medians(values, rounds) for values in (fills, sockets, at_once)]
    title, reference = "quote sent → {}, idle system, one crossed order, p50", "an order that fills when it is placed"
    fill = Figure("quote_to_fill", title.format("fill committed"), "ms", parts[0], reference, parts[2])
    socket = Figure(
        "quote_to_socket", title.format("order.executed on the socket"), "ms", parts[1], reference, parts[2]
    )
    for figure, one in ((fill, found["fill"]), (socket, found["socket"])):
        figure.remarks = f"p50, p95, p99: {one['p50_ms']:.1f}, {one['p95_ms']:.1f}, {one['p99_ms']:.1f} ms"
    fill.at_most("p50", found["fill"]["p50_ms"], FILL_P50_MS, unit="ms")
    fill.at_most("p99", found["fill"]["p99_ms"], FILL_P99_MS, unit="ms")
    return [fill, socket.at_most("p50", found["socket"]["p50_ms"], SOCKET_P50_MS, unit="ms")]


def _medians(values: list[float], rounds: int) -> list[float]:
    size = max(1, len(values) // rounds)
    return [median(values[start : start + size]) for start in range(0, len(values), size)]


def _place(services: Services, link: Connection, price: Decimal) -> None:
    order = {"exchange": EXCHANGE, "symbol": f"{RESTING_PREFIX}{STOCK}", "side": "BUY", "quantity": 1}
    body = json.dumps(order | {"orderType": "LIMIT", "price": str(price)}).encode()
    exchange(link, request(services.port, "POST", "/api/trading/orders", ACCOUNT, body))


def _wait_for(crowd: Crowd, name: str) -> tuple[dict[str, Any], float]:
    """Return the next event of this type and the time of its arrival, and forget the events before it."""

    def found() -> list[tuple[dict[str, Any], float]]:
        return [(one.event, one.received_at) for one in crowd.receipts if one.event["type"] == name]

    crowd.serve(10, lambda: bool(found()))
    first = found()[0]
    crowd.receipts = []
    return first


def _commits_ms(log: str) -> dict[str, float]:
    """Return the milliseconds of the commit of each executed order, from the worker's log."""
    found = ((LOG_LINE.search(line), dict(LOG_STEP.findall(line))) for line in log.splitlines())
    return {line[1]: float(steps["commit"]) for line, steps in found if line}
