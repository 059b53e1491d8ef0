"""What one web process counts, what it knows of the rest, and whom it tells."""

import dataclasses
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open_metrics

from models import buckets
from models.database import DatabaseUnavailable
from runtime import metrics
from runtime.sender import sender
from tests.conftest import METRICS_TOKEN
from tests.support.market_clock import clock, set_up  # noqa: F401  fixtures
from tests.support.metrics import Metrics
from tests.trading.execution import market
from trading.day import square_off
from trading.market.calendars import make_sessions
from trading.upkeep import verify

TOKEN = {"Authorization": f"Bearer {METRICS_TOKEN}"}
STEPS = ("parse", "schema", "place", "dispatch", "stock", "margin", "reserve", "order", "ledger", "commit")


@pytest.fixture
def read(client, monkeypatch):
    """Return a function that reads the metrics as they are now."""
    monkeypatch.setattr("api.metrics.STATE_S", 0)

    def read_now():
        response = client.get("/metrics", headers=TOKEN)
        assert response.status_code == 200
        return Metrics(response.text)

    return read_now


@pytest.fixture
def rise(read):
    """Return a function that tells by how much a metric has risen since the test began."""
    before = read()
    return lambda name, **labels: read()(name, **labels) - before(name, **labels)


def test_placements_are_counted_by_their_outcome(rise, account, place):
    trader = account("10000.00")
    assert place(trader, headers={"Idempotency-Key": "a"}).status_code == 202
    assert place(trader, headers={"Idempotency-Key": "a"}).status_code == 202
    assert place(trader, price="9999999.00").status_code == 422
    assert place(trader, quantity=0).status_code == 422
    for outcome in ("accepted", "replayed", "insufficient_margin", "validation_failed"):
        assert rise("tradepost_placements_total", outcome=outcome) == 1
    assert rise("tradepost_request_seconds_count", endpoint="orders.place", status="2xx") == 2
    assert rise("tradepost_request_seconds_count", endpoint="orders.place", status="4xx") == 2


def test_every_step_of_a_placement_is_timed(rise, account, place):
    assert place(account()).status_code == 202
    for step in STEPS:
        assert rise("tradepost_placement_step_seconds_count", step=step) == 1, step
        assert rise("tradepost_placement_step_seconds_sum", step=step) >= 0, step
    assert 0 < rise("tradepost_placement_step_seconds_sum", step="place") < 10  # seconds, not milliseconds


def test_executions_and_sweeps_are_counted(rise, client, account, place, settings):
    trader = account()
    for _ in range(3):
        assert place(trader).status_code == 202
    cron = {"Authorization": f"Bearer {settings.cron_secret}"}
    assert client.get("/api/cron/order-worker", headers=cron).get_json()["executed"] == 3
    assert client.get("/api/cron/order-worker", headers=cron).get_json()["claimed"] == 0
    assert rise("tradepost_executions_total", outcome="executed") == 3
    assert rise("tradepost_execution_delay_seconds_count", outcome="executed") == 3
    assert rise("tradepost_execution_step_seconds_count", step="commit") == 1  # one batch
    assert rise("tradepost_swept_orders_total", by="cron", outcome="executed") == 3
    assert rise("tradepost_sweeps_total", by="cron", found="yes") == 1
    assert rise("tradepost_sweeps_total", by="cron", found="no") == 1


def test_rejections_are_counted_by_their_reason(rise, client, account, quote, place, cleaner, settings):
    quote()
    trader = account()
    assert place(trader, orderType="MARKET").status_code == 202
    with cleaner.cursor() as cursor:
        cursor.execute("UPDATE stock SET last_price = NULL, last_price_at = NULL")
    cron = {"Authorization": f"Bearer {settings.cron_secret}"}
    assert client.get("/api/cron/order-worker", headers=cron).get_json()["rejected"] == 1
    assert rise("tradepost_executions_total", outcome="no_price") == 1
    assert rise("tradepost_executions_total", outcome="executed") == 0


def test_pending_orders_are_counted_with_the_age_of_the_oldest(read, account, place):
    assert (read()("tradepost_pending_orders"), read()("tradepost_oldest_pending_seconds")) == (0, 0)
    for _ in range(2):
        assert place(account()).status_code == 202
    assert read()("tradepost_pending_orders") == 2
    assert 0 < read()("tradepost_oldest_pending_seconds") < 60


def test_resting_orders_are_no_backlog_and_late_expiry_is_told(read, account, place, cleaner):
    assert read()("tradepost_resting_orders") == read()("tradepost_expiry_behind_seconds") == 0
    for _ in range(2):
        assert place(account()).status_code == 202
    with cleaner.cursor() as cursor:
        cursor.execute(
            "UPDATE trading_order SET fill_model = 'QUOTES', status = 'OPEN', due_at = NULL, watch_price = price,"
            " expires_at = clock_timestamp() - interval '5 s'"
        )
    metrics = read()
    assert metrics("tradepost_resting_orders", waiting_for="price") == 2
    assert metrics("tradepost_resting_orders", waiting_for="trigger") == 0
    assert metrics("tradepost_pending_orders") == 0
    assert 5 <= metrics("tradepost_expiry_behind_seconds") < 60


def test_orders_that_wait_for_their_session_are_counted_and_are_no_backlog(read, account):
    assert read()("tradepost_after_market_orders") == 0
    market.quote("99.95", "101.00", "100.50")
    market.hold(account(fill_model="QUOTES").id)
    metrics = read()
    assert (metrics("tradepost_after_market_orders"), metrics("tradepost_pending_orders")) == (1, 0)


def test_a_square_off_that_is_not_done_is_told_with_its_delay(read, clock, set_up):  # noqa: F811
    clock("2026-11-02 15:11")
    for _ in buckets.each():
        square_off.run_once()  # makes up for the day before
    assert read()("tradepost_daily_work_behind_seconds", work="square-off") == 0
    clock("2026-11-02 15:17:05")
    assert 305 <= read()("tradepost_daily_work_behind_seconds", work="square-off") < 330
    for _ in buckets.each():
        square_off.run_once()
    assert read()("tradepost_daily_work_behind_seconds", work="square-off") == 0


def test_the_days_until_the_last_session_are_told(read, clock, settings, monkeypatch):  # noqa: F811
    assert "tradepost_session_days_left" not in read().names
    monkeypatch.setattr("trading.upkeep.backlog.settings", lambda: dataclasses.replace(settings, market_calendar="NSE"))
    assert read()("tradepost_session_days_left") == 0  # no session is known
    clock("2026-11-24 20:00")
    make_sessions("NSE", date(2026, 11, 2), date(2026, 12, 1))
    assert read()("tradepost_session_days_left") == 7
    clock("2026-12-01 20:00")
    assert read()("tradepost_session_days_left") == 0
    clock("2026-12-05 20:00")
    assert read()("tradepost_session_days_left") == 0


def test_quotes_matches_and_expired_orders_are_counted(rise):
    metrics.count_quotes({"usable": 3, "crossed_book": 1})
    metrics.count_matches(["book", "book", "stop"], 0.02)
    metrics.count_matches([], 0.5)  # nothing matched: a time until the match does not exist
    metrics.count_late_matches(["book"], 0.03)
    metrics.count_expired(["DAY", "TTL", "DAY"])
    assert rise("tradepost_quotes_total", outcome="usable") == 3
    assert rise("tradepost_quotes_total", outcome="crossed_book") == 1
    assert (rise("tradepost_matches_total", rule="book"), rise("tradepost_matches_total", rule="stop")) == (3, 1)
    assert rise("tradepost_matches_found_late_total") == 1
    assert rise("tradepost_match_seconds_count", by="quote") == rise("tradepost_match_seconds_count") - 1 == 1
    assert 0.019 < rise("tradepost_match_seconds_sum", by="quote") < 0.021
    assert (rise("tradepost_orders_expired_total", validity="DAY"), rise("tradepost_orders_expired_total")) == (2, 3)


def test_a_matched_order_is_timed_from_its_match_and_another_from_when_it_was_due(rise):
    hour, second = timedelta(hours=1), timedelta(seconds=1)
    now = datetime.now(UTC)
    placed = {"placed_at": now - hour, "due_at": None, "matched_at": None}
    matched = placed | {"status": "OPEN", "matched_at": now - second}
    modified = placed | {"status": "OPEN", "due_at": now - second}
    pending = placed | {"status": "PENDING", "placed_at": now - 2 * second, "due_at": now - second}
    metrics.count_batch([(order, None, None) for order in (matched, modified)], [(pending, "no_price")], {})
    assert rise("tradepost_fill_seconds_count", outcome="executed") == 1
    assert 1 <= rise("tradepost_fill_seconds_sum") < 10
    assert rise("tradepost_execution_delay_seconds_count", outcome="executed") == 1
    assert 1 <= rise("tradepost_execution_delay_seconds_sum", outcome="executed") < 10
    assert 2 <= rise("tradepost_execution_delay_seconds_sum", outcome="no_price") < 11


def test_queues_and_dead_letters_are_counted(read, account, place, redis_client):
    assert place(account()).status_code == 202
    sender.send_all()
    redis_client.zadd("tradepost:orders.XQ", {"a": 1, "b": 2})
    metrics = read()
    assert metrics("tradepost_queue_messages", queue="orders", state="waiting") == 1
    assert metrics("tradepost_queue_messages", queue="orders", state="dead") == 2
    assert metrics("tradepost_queue_messages", queue="maintenance", state="dead") == 0
    assert metrics("tradepost_dispatches_total", outcome="sent") >= 1


def test_the_last_ledger_check_is_exported(read, account, cleaner):
    assert "tradepost_ledger_violations" not in read().names
    trader = account()
    assert verify.check_and_note() == 0
    assert (read()("tradepost_ledger_violations"), "tradepost_ledger_violations" in read().names) == (0, True)
    with cleaner.cursor() as cursor:
        cursor.execute("UPDATE account SET balance = balance + 1 WHERE id = %s", (trader.id,))
    assert verify.check_and_note() > 0
    assert read()("tradepost_ledger_violations") > 0
    assert 0 <= read()("tradepost_ledger_check_age_seconds") < 60


def test_a_scrape_succeeds_without_the_database_and_without_redis(read, monkeypatch):
    assert (read()("tradepost_up", what="database"), read()("tradepost_up", what="redis")) == (1, 1)

    def fail():
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr("api.metrics.read_backlog", fail)
    monkeypatch.setattr("runtime.redis_link.attempt", lambda _: False)
    metrics = read()
    assert (metrics("tradepost_up", what="database"), metrics("tradepost_up", what="redis")) == (0, 0)
    assert "tradepost_up" in metrics.names
    assert not {"tradepost_pending_orders", "tradepost_queue_messages"} & metrics.names
    assert "tradepost_placements_total" in metrics.names


def test_concurrent_scrapes_query_the_database_once(client, monkeypatch):
    asked = []
    monkeypatch.setattr("api.metrics.STATE_S", 0)
    monkeypatch.setattr("api.metrics._state", lambda: asked.append(1) or [])
    client.get("/metrics", headers=TOKEN)
    monkeypatch.setattr("api.metrics.STATE_S", 60)
    for _ in range(5):
        assert client.get("/metrics", headers=TOKEN).status_code == 200
    assert len(asked) == 1


def test_the_connections_of_the_pool_are_counted(read):
    metrics = read()
    assert metrics("tradepost_database_pool", state="allowed") > 0
    assert "tradepost_database_pool_waits_total" in metrics.names


def test_openmetrics_are_served_on_request(client):
    accepted = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3"
    response = client.get("/metrics", headers=TOKEN | {"Accept": accepted})
    assert response.content_type.startswith("application/openmetrics-text")
    assert "tradepost_placements" in {family.name for family in parse_open_metrics(response.text)}


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic x", "Bearer sécret", "Bearer " + "x" * 5_000])
def test_with_a_configured_token_requests_without_it_are_refused(client, header):
    response = client.get("/metrics", headers={} if header is None else {"Authorization": header})
    assert (response.status_code, response.get_json()["code"]) == (401, "unauthenticated")


def test_an_api_token_does_not_open_the_metrics(client, headers_for):
    assert client.get("/metrics", headers=headers_for("admin")).status_code == 401


@pytest.fixture
def without_token(app, settings, monkeypatch):
    """Serve as if no METRICS_TOKEN were set."""
    bare = dataclasses.replace(settings, metrics_token=None)
    monkeypatch.setitem(app.config, "SETTINGS", bare)
    return bare


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("::ffff:127.0.0.1", {}, 200),  # as a socket for IPv6 and IPv4 names it
        ("::ffff:10.0.0.7", {}, 403),
        ("10.0.0.7", {}, 403),
        ("", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 403),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.9"}, 403),
    ],
)
def test_without_a_token_only_this_machine_may_read(client, without_token, address, headers, status):
    environment = {"REMOTE_ADDR": address}
    response = client.get("/metrics", headers=headers, environ_base=environment)
    assert response.status_code == status
    if status == 403:
        assert "METRICS_TOKEN" in json.loads(response.text)["detail"]


def test_in_production_metrics_require_a_token(client, app, without_token, monkeypatch):
    production = dataclasses.replace(without_token, environment="production")
    monkeypatch.setitem(app.config, "SETTINGS", production)
    response = client.get("/metrics", environ_base={"REMOTE_ADDR": "127.0.0.1"})
    assert response.status_code == 403
    assert json.loads(response.text)["detail"].startswith("METRICS_TOKEN is not set, and in production")
