"""The figures for operators, and the requeueing of dead letters."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from actors import dead_letters, presence, worker
from actors.broker import broker
from models.database import fetch_all, session
from runtime import metrics
from tests.support.dead_letters import TRACEBACK, bury
from trading.upkeep import backlog, operations

PATH = "/api/admin/operations"


@pytest.fixture
def read(client: Any, headers_for: Any) -> Any:
    """Return a function that reads the operations."""
    admin = headers_for("admin")
    return lambda: client.get(PATH, headers=admin).get_json()


@pytest.fixture
def requeue(client: Any, headers_for: Any) -> Any:
    """Return a function that has a dead letter sent again."""
    admin = headers_for("admin") | {"X-Request-Id": "again-1"}
    return lambda message_id: client.post(f"/api/admin/dead-letters/{message_id}/requeue", headers=admin)


def execute(client: Any, settings: Any) -> None:
    headers = {"Authorization": f"Bearer {settings.cron_secret}"}
    assert client.get("/api/cron/order-worker", headers=headers).get_json()["executed"]


def depths(read: Any) -> dict[str, dict[str, int]]:
    """Return the queues' depths by name."""
    return {queue.pop("name"): queue for queue in read()["broker"]["queues"]}


def test_without_orders_every_figure_is_empty(read: Any) -> None:
    found = read()
    assert found["pending"] == {"count": 0, "oldestPlacedAt": None, "oldestAgeMs": None}
    resting = found["resting"]
    assert (resting["forPrice"], resting["forTrigger"], resting["expiryBehindMs"]) == (0, 0, 0)
    assert found["latency"] == {"orders": 0, "p50Ms": None, "p95Ms": None, "p99Ms": None}
    assert found["ledgerCheck"] is None
    assert found["broker"]["deadLetters"] == []
    assert len(found["throughput"]["seconds"]) == 60
    assert found["throughput"]["placedPerSecond"] == 0


def test_the_backlog_and_the_latency_of_executions_are_counted(
    client: Any, account: Any, place: Any, settings: Any, read: Any, cleaner: Any
) -> None:
    trader = account()
    for _ in range(3):
        place(trader)
    execute(client, settings)
    waiting = place(trader).get_json()["order"]
    with cleaner.cursor() as cursor:  # three seconds ago: whole seconds are counted
        cursor.execute(
            "UPDATE trading_order SET placed_at = placed_at - interval '3 s', due_at = due_at - interval '3 s'"
        )
        cursor.execute("UPDATE trading_order SET executed_at = executed_at - interval '2 s'")
        cursor.execute("INSERT INTO ledger_check (violations, duration_ms) VALUES (2, 7)")
    found = read()
    assert found["pending"]["count"] == 1
    assert found["pending"]["oldestPlacedAt"] < waiting["placedAt"]
    assert found["pending"]["oldestAgeMs"] >= 3000
    assert found["latency"]["orders"] == 3
    assert 1000 <= found["latency"]["p50Ms"] <= found["latency"]["p95Ms"] <= found["latency"]["p99Ms"]
    assert sum(second["placed"] for second in found["throughput"]["seconds"]) == 4
    assert sum(second["executed"] for second in found["throughput"]["seconds"]) == 3
    assert (found["throughput"]["placedPerSecond"], found["throughput"]["executedPerSecond"]) == (0.4, 0.3)
    assert (found["ledgerCheck"]["violations"], found["ledgerCheck"]["durationMs"]) == (2, 7)


def test_resting_orders_and_late_matches_are_counted(account: Any, place: Any, read: Any, cleaner: Any) -> None:
    before = read()["resting"]["lateMatches"]
    for _ in range(2):
        place(account())
    with cleaner.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "UPDATE trading_order SET fill_model = 'QUOTES', status = 'OPEN', due_at = NULL, watch_price = price,"
            " expires_at = clock_timestamp() - interval '5 s'"
        )
        cursor.execute("RESET session_replication_role")
    metrics.count_late_matches(["book", "stop"], 0.1)
    found = read()["resting"]
    assert (found["forPrice"], found["forTrigger"]) == (2, 0)
    assert 5_000 <= found["expiryBehindMs"] < 60_000
    assert found["lateMatches"] == before + 2


def test_seconds_before_the_oldest_order_read_are_omitted(
    account: Any, place: Any, read: Any, monkeypatch: pytest.MonkeyPatch, cleaner: Any
) -> None:
    trader = account()
    for _ in range(4):
        place(trader)
    with cleaner.cursor() as cursor:
        cursor.execute(
            "UPDATE trading_order SET placed_at = placed_at - interval '5 s', due_at = due_at - interval '5 s'"
        )
    monkeypatch.setattr(operations, "NEWEST_ORDERS", 4)
    seconds = read()["throughput"]["seconds"]
    assert 3 <= len(seconds) <= 30  # of 60; on a slow machine more have passed
    monkeypatch.setattr(operations, "MAX_COUNTED", 3)
    assert read()["pending"]["count"] == 3


def test_no_query_reads_a_whole_table(database: Any, cleaner: Any) -> None:
    """The planner would scan a small table anyway: what it would do with a large one is asked with scans forbidden."""
    parameters = {"limit": 5_000, "since": 0, "latency_since": datetime.now(UTC)}
    database.execute("SET enable_seqscan = off; SET enable_sort = off")
    try:
        for query in (backlog.DUE, operations.NEWEST):
            plan = "\n".join(row["QUERY PLAN"] for row in fetch_all(f"EXPLAIN {query}", parameters))
            assert "Index" in plan, plan
            assert "Seq Scan" not in plan, plan
    finally:
        database.execute("RESET enable_seqscan; RESET enable_sort")


def test_a_dead_letter_is_shown_and_requeued_with_all_its_retries(
    account: Any, place: Any, read: Any, requeue: Any
) -> None:
    order_id = uuid4()
    message_id = bury(order_id, traceback=TRACEBACK, retries=3, request_id="asked-1")
    (letter,) = read()["broker"]["deadLetters"]
    assert (letter["messageId"], letter["queue"], letter["actor"]) == (message_id, "orders", "execute_order")
    assert (letter["arguments"], letter["error"]) == ([str(order_id)], "ValueError: the last line")
    assert letter["enqueuedAt"] <= letter["diedAt"]
    assert depths(read)["orders"] == {"waiting": 0, "working": 0, "delayed": 0, "dead": 1}

    assert requeue(message_id).status_code == 204
    assert read()["broker"]["deadLetters"] == []
    assert depths(read)["orders"] == {"waiting": 1, "working": 0, "delayed": 0, "dead": 0}
    message = next(broker.consume("orders", prefetch=1, timeout=10))
    assert message.args == (str(order_id),)
    assert set(message.options) == {"redis_message_id", "request_id"}
    assert depths(read)["orders"]["working"] == 1


def test_a_message_that_is_not_a_dead_letter_is_not_found(requeue: Any, read: Any) -> None:
    message_id = bury(uuid4())
    assert requeue(message_id).status_code == 204
    again = requeue(message_id)
    assert (again.status_code, again.get_json()["code"]) == (404, "not_found")
    assert depths(read)["orders"]["waiting"] == 1


def test_requeueing_is_audited_before_it_happens(requeue: Any) -> None:
    message_id = str(uuid4())
    assert requeue(message_id).status_code == 404
    with session():
        (action,) = fetch_all("SELECT action, detail, request_id FROM admin_action")
    assert action == {"action": "dead_letter.requeue", "detail": {"message_id": message_id}, "request_id": "again-1"}


def test_an_unreadable_message_is_omitted(read: Any, redis_client: Any) -> None:
    redis_client.zadd("tradepost:orders.XQ", {"nonsense": 1000 * datetime.now(UTC).timestamp()})
    redis_client.hset("tradepost:orders.XQ.msgs", "nonsense", b"\xff")
    message_id = bury(uuid4())
    assert [letter["messageId"] for letter in read()["broker"]["deadLetters"]] == [message_id]
    assert depths(read)["orders"]["dead"] == 2


def test_without_redis_the_other_figures_are_shown_and_requeueing_fails(
    read: Any, requeue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = bury(uuid4())
    monkeypatch.setattr("runtime.redis_link.attempt", lambda _: False)
    found = read()
    assert "broker" not in found
    assert found["pending"]["count"] == 0
    refused = requeue(message_id)
    assert (refused.status_code, refused.get_json()["code"]) == (503, "service_unavailable")
    assert refused.headers["Retry-After"] == "1"


def test_present_workers_are_listed(read: Any, redis_client: Any, configured: None) -> None:
    presence.say_present()
    redis_client.zadd("tradepost:workers", {"stopped": 1})
    (present,) = read()["broker"]["workers"]
    assert ":" in present["name"]
    assert present["silentMs"] < 5_000
    presence.say_present()
    assert redis_client.zcard("tradepost:workers") == 1


def test_every_queue_of_the_workers_is_shown() -> None:
    assert set(dead_letters.QUEUES) == {actor.queue_name for actor in worker.ACTORS}
