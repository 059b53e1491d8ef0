"""The invariants I1 to I7 of docs/faults.md, checked after the faults against each client's record."""

import json
import time
from collections import Counter
from collections.abc import Collection
from decimal import Decimal
from typing import Any, NamedTuple

from tests.faults.system import System
from tests.faults.workload import Request, Workload
from trading.upkeep.verify import RULES

FINAL = ("EXECUTED", "CANCELLED", "REJECTED", "EXPIRED")
IS_DUE = "(status = 'PENDING' OR status = 'OPEN' AND due_at IS NOT NULL)"  # an order that rests is not
QUEUES = ("orders", "maintenance")
# A killed worker's messages come back after 10 to 11 s; twice that is too long.
QUIET_TIMEOUT_S = 25.0
# An order without a message is swept after an interval, on a busy machine later; a lost message is back after 10 s.
SWEPT_S = 8.0
# A backlog is worked off at this many orders a second at least: a quarter of the 1,000 that one worker process
# reached on two idle cores.
DRAIN_RATE = 250


class Times(NamedTuple):
    """The seconds from acceptance to the final state."""

    orders: int
    p50: float
    p99: float
    longest: float


def heal_drain_check(
    system: System, workload: Workload, *, drain_s: float = 30.0, poisons: Collection[str] = ()
) -> Times:
    """Heal, wait until no order is PENDING, and fail with every invariant that does not hold."""
    system.heal()
    workload.finish()
    drain(system, drain_s)
    problems = workload.failures + find_problems(system, workload) + find_leftovers(system, poisons)
    assert not problems, "\n".join(problems[:40])
    system.is_whole = True
    return times(system)


def drain(system: System, timeout_s: float = 30.0, *, but: Collection[str] = ()) -> float:
    """Wait until a worker is due for no order but these, return how long that took; fail at the time-out."""
    start = time.monotonic()
    while pending := pending_orders(system, but=but):
        if time.monotonic() - start > timeout_s:
            detail = system.sql(f"SELECT id, status, attempts, retry_at, due_at FROM trading_order WHERE {IS_DUE}")
            raise AssertionError(f"I2: {pending} orders are due after {timeout_s} s: {detail[:5]}")
        time.sleep(0.05)
    return time.monotonic() - start


def pending_orders(system: System, *, but: Collection[str] = ()) -> int:
    """Return the number of orders other than these for which a worker is due: PENDING, or matched, or modified."""
    count = f"SELECT count(*) FROM trading_order WHERE {IS_DUE} AND id::text <> ALL(%s)"
    return int(system.sql(count, list(but))[0][0])


def times(system: System, since: str = "-infinity") -> Times:
    """Return how long orders took from acceptance to their final state, by the database's clock."""
    return _times(system, "updated_at", "status NOT IN ('PENDING', 'OPEN')", since)


def execution_times(system: System, since: str) -> Times:
    """Return how long orders took from acceptance to execution, by the database's clock."""
    return _times(system, "executed_at", "status = 'EXECUTED'", since)


def _times(system: System, end: str, condition: str, since: str) -> Times:
    rows = system.sql(
        "SELECT count(*), percentile_cont(ARRAY[0.5, 0.99, 1]) WITHIN GROUP ("
        f" ORDER BY extract(epoch FROM {end} - placed_at)) FROM trading_order"
        f" WHERE {condition} AND placed_at > %s::timestamptz",
        since,
    )
    count, parts = rows[0]
    return Times(count, *(round(float(part), 3) for part in parts or (0, 0, 0)))


def find_problems(system: System, workload: Workload) -> list[str]:
    """Compare the database with itself and with the clients' requests."""
    return [
        *unbalanced(system),
        *_lost_or_invented(system, workload),
        *_outcomes(system, workload),
        *_funds(system, workload),
        *_covered(system),
        *_odd_answers(workload),
    ]


def unbalanced(system: System) -> list[str]:
    """Return violations of I1, I3 and I6, by the rules of `ledger verify`."""
    connection = system.connect()
    try:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
        problems = []
        with connection.cursor() as cursor:
            for rule, query in RULES.items():
                cursor.execute(query)
                problems += [f"unbalanced, {rule}: {row}" for row in cursor.fetchall()]
        return problems
    finally:
        connection.close()


def _lost_or_invented(system: System, workload: Workload) -> list[str]:
    """Return violations of I2 and I4: each 202 and 200 is one order, each order was requested, a refusal left none."""
    kept = system.sql("SELECT key, answer ->> 'id' FROM idempotency_key WHERE scope NOT LIKE '%%/funds'")
    by_key = dict(kept)
    orders = {row[0] for row in system.sql("SELECT id::text FROM trading_order WHERE origin = 'CLIENT'")}
    problems = [] if len(by_key) == len(kept) else ["a key stands for two orders"]
    asked = {request.key: request for request in workload.requests if request.key and request.kind != "funds"}
    for key, request in asked.items():
        order_id = request.document.get("orderId")
        if request.status in (200, 202):
            if order_id not in orders:
                problems.append(f"lost: {request}")
            if by_key.get(key) != order_id:
                problems.append(f"another order under the same key: {by_key.get(key)}, {request}")
        elif key in by_key:
            problems.append(f"a refused request left an order: {by_key[key]}, {request}")
    problems += [f"doubled, or nobody asked for it: {order_id}" for order_id in orders - set(by_key.values())]
    problems += [f"nobody asked for key {key}" for key in by_key.keys() - asked.keys()]
    return problems


def _outcomes(system: System, workload: Workload) -> list[str]:
    """Return violations of I2: a final status that a client was told is the order's status."""
    statuses = dict(system.sql("SELECT id::text, status FROM trading_order"))
    problems = []
    for request in workload.requests:
        if request.kind == "cancel" and request.status == 200:
            told, order_id = "CANCELLED", request.path.rsplit("/", 1)[1]
        elif request.status == 200 and "order" in request.document:
            told, order_id = request.document["order"]["status"], request.document["orderId"]
        else:
            continue
        if statuses.get(order_id) != told:
            problems.append(f"told {told}, is {statuses.get(order_id)}: {request}")
    return problems


def _funds(system: System, workload: Workload) -> list[str]:
    """Return violations of I1: funds moved exactly as often as clients were told."""
    expected: Counter[tuple[str, str]] = Counter()
    for account_id in workload.accounts:
        expected[account_id, "DEPOSIT"] += workload.opening
    for request in workload.requests:
        if request.kind == "funds" and request.status == 201:
            expected[request.path.split("/")[4], request.body["kind"]] += Decimal(request.body["amount"])
    rows = system.sql(
        "SELECT account_id::text, kind, sum(amount) FROM fund_transaction"
        " WHERE kind IN ('DEPOSIT', 'WITHDRAWAL') GROUP BY 1, 2"
    )
    found = {(account_id, kind): amount for account_id, kind, amount in rows}
    return [
        f"unbalanced, funds: {key} should be {expected.get(key, 0)}, is {found.get(key, 0)}"
        for key in expected.keys() | found.keys()
        if expected.get(key, 0) != found.get(key, 0)
    ]


def _covered(system: System) -> list[str]:
    """Return violations of I5: no placement that opens a position left the available margin negative."""
    # Only the first row: a fill may lose more than was available and be charged for its price as well.
    rows = system.sql(
        "SELECT o.id FROM trading_order o JOIN LATERAL (SELECT * FROM fund_transaction WHERE order_id = o.id"
        " AND kind = 'CHARGES' ORDER BY id LIMIT 1) AS t ON true"
        " WHERE o.closing_quantity < o.quantity AND t.balance_after < t.blocked_after"
    )
    return [f"an order that opens was not covered: {row[0]}" for row in rows]


def _odd_answers(workload: Workload) -> list[str]:
    """Return answers with a 5xx other than 503; a fault may cost a 503 or the answer."""
    return [
        f"answered {answer}: {request}"
        for request in workload.requests
        for answer in request.answers
        if answer is not None and answer >= 500 and answer != 503
    ]


def find_leftovers(system: System, poisons: Collection[str] = ()) -> list[str]:
    """Return violations of I7: no session, lock or message is left, and only poison orders have dead letters."""
    end = time.monotonic() + QUIET_TIMEOUT_S
    while problems := [*_open_sessions(system), *_messages_left(system)]:
        if time.monotonic() > end:
            break
        time.sleep(0.05)
    for queue in QUEUES:
        dead = map(json.loads, system.redis.hvals(f"tradepost:{queue}.XQ.msgs"))
        problems += [f"I7: a dead letter: {body}" for body in dead if not set(body["args"]) & set(poisons)]
    return problems


def _open_sessions(system: System) -> list[str]:
    sessions = system.sql(
        "SELECT pid, state, query FROM pg_stat_activity WHERE datname = %s AND application_name <> 'harness'"
        " AND state LIKE 'idle in transaction%%' AND state_change < clock_timestamp() - interval '1 s'",
        system.name,
    )
    locks = system.sql(
        "SELECT l.pid, locktype, mode FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE datname = %s AND pid <> pg_backend_pid() AND application_name <> 'harness'"
        " AND xact_start < clock_timestamp() - interval '1 s'",
        system.name,
    )
    return [f"I7: a session is left in a transaction: {row}" for row in sessions] + [
        f"I7: a lock is left: {row}" for row in locks
    ]


def _messages_left(system: System) -> list[str]:
    """Return the messages left in Dramatiq's keys: queued, delayed, and fetched by workers."""
    left: dict[str, Any] = {}
    for queue in QUEUES:
        for name in (queue, f"{queue}.DQ"):
            left[name] = system.redis.llen(f"tradepost:{name}")
            left[f"{name}.msgs"] = system.redis.hlen(f"tradepost:{name}.msgs")
    for key in system.redis.scan_iter("tradepost:__acks__*", count=1000):
        left[key.decode()] = system.redis.scard(key)
    return [f"I7: messages are left: {json.dumps(found)}" for found in [{k: n for k, n in left.items() if n}] if found]


def answered(requests: list[Request]) -> Counter[int | None]:
    """Return how often each status was seen."""
    return Counter(answer for request in requests for answer in request.answers)
