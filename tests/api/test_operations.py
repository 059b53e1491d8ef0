"""The figures for operators, and the requeueing of dead letters."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from actors import dead_letters, ledger_checks, maintenance, presence, worker
from actors.broker import broker
from config.version import VERSION
from models import buckets
from models.database import fetch_all, session
from runtime import metrics
from tests.support.dead_letters import TRACEBACK, bury
from trading.day import jobs
from trading.upkeep import backlog, due_orders, newest_orders, operations, operations_history

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
    assert found["latency"] == found["fills"] == {"orders": 0, "p50Ms": None, "p95Ms": None, "p99Ms": None}
    assert (found["dueOrders"], found["jobRuns"]) == ([], [])
    assert {work["work"]: work["behindMs"] for work in found["dailyWork"]}["square-off"] == 0
    assert found["version"] == VERSION
    assert found["broker"]["ledgerCheck"] is None
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
        cursor.execute(
            "UPDATE trading_order SET fill_model = 'QUOTES', status = 'OPEN', due_at = NULL, watch_price = price,"
            " expires_at = clock_timestamp() - interval '5 s'"
        )
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
    monkeypatch.setattr(newest_orders, "NEWEST_ORDERS", 4)
    seconds = read()["throughput"]["seconds"]
    assert 3 <= len(seconds) <= 30  # of 60; on a slow machine more have passed
    monkeypatch.setattr(operations, "MAX_COUNTED", 3)
    assert read()["pending"]["count"] == 3


@pytest.mark.one_bucket("its session is of no bucket")
def test_no_query_reads_a_whole_table(database: Any, cleaner: Any) -> None:
    """The planner would scan a small table anyway: what it would do with a large one is asked with scans forbidden."""
    parameters = {"limit": 5_000, "since": 0, "latency_since": datetime.now(UTC), "minutes": 60}
    database.execute("SET enable_seqscan = off; SET enable_sort = off")
    try:
        for query in (backlog.DUE, due_orders.OLDEST, newest_orders.NEWEST, operations_history.HISTORY):
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


def counted(read: Any, name: str, code: str) -> int:
    """Return one of the counts by code."""
    return sum(one["count"] for one in read()["counts"][name] if one["code"] == code)


def test_refusals_and_rejections_are_counted_by_code_and_failures_of_requests(
    client: Any, account: Any, place: Any, read: Any
) -> None:
    before, refused = read()["counts"], counted(read, "refusals", "insufficient_margin")
    poor = account("1.00")
    for _ in range(2):
        assert place(poor).status_code == 422
    assert place(account()).status_code == 202
    metrics.of(metrics.EXECUTIONS, "insufficient_margin").inc()
    metrics.of(metrics.REQUESTS, "orders.place", "5xx").observe(0.1)
    metrics.count_quotes({"usable": 5, "stale": 2})
    found = read()["counts"]
    assert counted(read, "refusals", "insufficient_margin") == refused + 2
    assert found["rejections"][0]["count"] >= 1
    assert "executed" not in {one["code"] for one in found["rejections"]}
    assert found["accepted"] == before["accepted"] + 1
    assert found["failedRequests"] == before["failedRequests"] + 1
    assert found["requests"] >= before["requests"] + 4
    assert (found["quotes"], found["unusableQuotes"]) == (before["quotes"] + 7, before["unusableQuotes"] + 2)


def test_listeners_and_the_connections_of_the_pool_are_shown(read: Any) -> None:
    metrics.of(metrics.LISTENERS, "connected").set(3)
    found = read()
    metrics.of(metrics.LISTENERS, "connected").set(0)
    assert found["listeners"]["connected"] == 3
    (pool,) = found["pools"]
    assert pool["process"] == "web"
    assert 0 <= pool["inUse"] <= pool["open"] <= pool["allowed"]


def test_the_longest_due_orders_are_listed_with_their_age(account: Any, place: Any, read: Any, cleaner: Any) -> None:
    trader = account()
    orders = [place(trader, quantity=number).get_json()["order"] for number in range(1, 13)]
    with cleaner.cursor() as cursor:
        cursor.execute("UPDATE trading_order SET due_at = due_at - interval '90 s' WHERE quantity = 7")
        cursor.execute("UPDATE trading_order SET due_at = due_at + interval '90 s' WHERE quantity = 1")
    due = read()["dueOrders"]
    assert [one["quantity"] for one in due] == [7, 2, 3, 4, 5, 6, 8, 9, 10, 11]
    assert due[0]["orderId"] == orders[6]["orderId"]
    assert (due[0]["accountId"], due[0]["symbol"], due[0]["status"]) == (str(trader.id), "RELIANCE", "PENDING")
    assert 90_000 <= due[0]["ageMs"] < 120_000


def test_a_fill_is_measured_from_its_match_and_an_order_that_waited_is_not_slow(
    client: Any, account: Any, place: Any, read: Any, settings: Any, cleaner: Any, quote: Any
) -> None:
    quote("RELIANCE", "101.00")
    place(account(fill_model="QUOTES"))  # which rests
    place(account())
    execute(client, settings)
    quote("RELIANCE", "99.00")
    execute(client, settings)
    with cleaner.cursor() as cursor:
        cursor.execute(
            "UPDATE trading_order SET placed_at = placed_at - interval '1 h',"
            " matched_at = executed_at - interval '40 ms' WHERE fill_model = 'QUOTES'"
        )
    found = read()
    assert (found["fills"]["orders"], found["fills"]["p50Ms"]) == (1, 40.0)
    assert found["latency"]["orders"] == 1
    assert found["latency"]["p99Ms"] < 60_000


def test_the_daily_work_of_the_last_week_is_listed(read: Any, clean: None) -> None:
    today = datetime.now(UTC).date()
    assert all(buckets.in_each(lambda: jobs.run_daily("settlement", today, lambda: None)))
    assert jobs.skip("square-off NORMAL", today)
    assert jobs.skip("square-off NORMAL", today - timedelta(days=9))
    runs = {run["name"]: run for run in read()["jobRuns"]}
    assert len(runs) == 2
    assert runs["settlement"]["day"] == str(today)
    assert runs["settlement"]["finishedAt"] >= runs["settlement"]["startedAt"]
    assert (runs["settlement"]["skipped"], runs["square-off NORMAL"]["skipped"]) == (False, True)


@pytest.mark.one_bucket("three orders are fewer than one of each bucket")
def test_the_last_hour_is_counted_by_minute_as_far_as_the_newest_orders_reach(
    client: Any, account: Any, place: Any, settings: Any, headers_for: Any, cleaner: Any, monkeypatch: Any
) -> None:
    admin = headers_for("admin")

    def minutes() -> list[dict[str, Any]]:
        return list(client.get(f"{PATH}/history", headers=admin).get_json()["minutes"])

    assert [(one["placed"], one["executed"]) for one in minutes()] == [(0, 0)] * 60
    trader = account()
    for _ in range(3):
        place(trader)
    execute(client, settings)
    with cleaner.cursor() as cursor:
        cursor.execute("UPDATE trading_order SET placed_at = placed_at - interval '2 min'")
        cursor.execute("UPDATE trading_order SET executed_at = executed_at - interval '1 min'")
    found = minutes()
    assert [(one["placed"], one["executed"]) for one in found[-2:]] == [(3, 0), (0, 3)]
    assert found[-1]["at"].endswith(":00.000000Z")
    monkeypatch.setattr(operations_history, "NEWEST_ORDERS", 3)
    assert [(one["placed"], one["executed"]) for one in minutes()] == [(0, 3)]  # the minute of the oldest may lack some


def test_an_operator_sweeps(client: Any, account: Any, place: Any, headers_for: Any, read: Any) -> None:
    for _ in range(2):
        place(account())
    swept = client.post("/api/admin/sweep", headers=headers_for("admin"))
    assert swept.status_code == 200
    assert (swept.get_json()["executed"], swept.get_json()["remaining"]) == (2, 0)
    assert read()["pending"]["count"] == 0
    with session():
        assert [row["action"] for row in fetch_all("SELECT action FROM admin_action")] == ["sweep"]


def test_an_operator_has_the_ledger_checked_once_by_a_worker(
    client: Any, account: Any, headers_for: Any, read: Any, monkeypatch: Any, configured: None
) -> None:
    account()
    admin = headers_for("admin")
    asked = [client.post("/api/admin/ledger-check", headers=admin) for _ in range(2)]
    assert [answer.status_code for answer in asked] == [202, 202]
    assert asked[0].get_json() == asked[1].get_json() == read()["broker"]["ledgerCheck"]
    assert asked[0].get_json()["state"] == "asked"
    message = next(broker.consume("maintenance", prefetch=1, timeout=10))
    assert message.actor_name == maintenance.check_ledger.actor_name
    assert depths(read)["maintenance"] == {"waiting": 0, "working": 1, "delayed": 0, "dead": 0}

    states = []
    monkeypatch.setattr(maintenance, "check_and_note", lambda **_: states.append(ledger_checks.unfinished_check()))
    maintenance._check()
    assert [state["state"] for state in states] == ["running"]
    monkeypatch.undo()
    maintenance._check()
    found = read()
    assert found["broker"]["ledgerCheck"] is None
    assert found["ledgerCheck"]["violations"] == 0


def test_without_redis_no_check_can_be_asked_for(client: Any, headers_for: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("runtime.redis_link.attempt", lambda _: False)
    refused = client.post("/api/admin/ledger-check", headers=headers_for("admin"))
    assert (refused.status_code, refused.get_json()["code"]) == (503, "service_unavailable")
    assert "ledger verify" in refused.get_json()["detail"]
