"""The time of an order from the client's request to the event of its execution on a socket, by stage."""

import re
import time

from bench.clients.load import Connection, exchange, order_request
from bench.clients.streams import Crowd, Receipt, StreamError, unix_time
from bench.seeding import token_of
from bench.services import Services
from tests.support.processes import Running

ORDERS_IN_A_ROW = 200
LOG_LINE = re.compile(r'"order_id": "(\S+)".*"event": "order_executed"')
LOG_STEP = re.compile(r'"(claim|fill|write|commit)_ms": ([0-9.]+)')


def from_door_to_socket(services: Services) -> dict[str, list[float]]:
    """Place orders one by one while a worker runs, and return the milliseconds of each stage by name."""
    worker = services.start_worker(LOG_FORMAT="json")
    crowd, link = Crowd(services.port), Connection(services.port)
    crowd.join([token_of(1)])
    sent: list[tuple[float, float, list[Receipt]]] = []
    for _ in range(ORDERS_IN_A_ROW):
        crowd.receipts = []
        sent_at = time.time()
        accept_ms, _ = exchange(link, order_request(services.port, 1))
        crowd.serve(10, lambda: any(one.event["type"] == "order.executed" for one in crowd.receipts))
        sent.append((sent_at, accept_ms, crowd.receipts))
        time.sleep(0.02)  # until the system is idle
    crowd.leave()
    link.socket.close()
    parts = _parts(sent, worker)
    worker.terminate()
    return parts


def _parts(sent: list[tuple[float, float, list[Receipt]]], worker: Running) -> dict[str, list[float]]:
    """Return the milliseconds of each stage, from the events' times and the execution steps in the worker's log."""
    steps: dict[str, dict[str, float]] = {}
    for line in worker.log.splitlines():
        if found := LOG_LINE.search(line):
            steps[found[1]] = {name: float(value) for name, value in LOG_STEP.findall(line)}
    parts: dict[str, list[float]] = {name: [] for name in ("accept", "dispatch", "execute", "deliver", "total")}
    for sent_at, accept_ms, receipts in sent:
        by_type = {receipt.event["type"]: receipt for receipt in receipts}
        pending, executed = by_type["order.pending"], by_type["order.executed"]
        step = steps.get(executed.event["data"]["orderId"])
        if step is None:
            raise StreamError("the worker's log has no line for an executed order")
        execute_ms = sum(step.values())
        between_ms = (unix_time(executed.event["at"]) - unix_time(pending.event["at"])) * 1000
        parts["accept"].append(accept_ms)
        parts["dispatch"].append(between_ms - (execute_ms - step["commit"]))
        parts["execute"].append(execute_ms)
        parts["deliver"].append(executed.delay_ms - step["commit"])
        parts["total"].append((executed.received_at - sent_at) * 1000)
    return parts
