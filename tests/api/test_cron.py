"""The recovery endpoint."""

import dataclasses

import pytest

from tests.support.market_clock import clock, set_up  # noqa: F401  fixtures
from tests.support.trading import execute, rows
from tests.trading.execution import market

PATH = "/api/cron/order-worker"


@pytest.fixture
def sweep(client, settings):
    """Return a function that calls the recovery endpoint with its secret."""
    headers = {"Authorization": f"Bearer {settings.cron_secret}"}
    return lambda query="": client.get(f"{PATH}?{query}", headers=headers)


def test_the_recovery_endpoint_executes_pending_orders_oldest_first(client, sweep, account, place):
    trader = account()
    ids = [place(trader).get_json()["orderId"] for _ in range(3)]
    report = sweep("limit=2").get_json()
    assert set(report) == {
        "claimed",
        "executed",
        "rejected",
        "failed",
        "opened",
        "cancelled",
        "expired",
        "remaining",
        "dailyWorkDone",
        "durationMs",
    }
    assert (report["claimed"], report["executed"], report["remaining"]) == (2, 2, 1)
    assert report["durationMs"] >= 0

    def status(order_id):
        return client.get(f"/api/trading/orders/{order_id}", headers=trader.headers).get_json()["status"]

    assert [status(order_id) for order_id in ids] == ["EXECUTED", "EXECUTED", "PENDING"]
    assert sweep().get_json()["executed"] == 1
    assert sweep().get_json()["claimed"] == 0


def test_the_recovery_endpoint_releases_after_market_orders_and_executes_them(sweep, account):
    market.quote("99.95", "101.00", "100.50")
    market.hold(account(fill_model="QUOTES").id)
    report = sweep().get_json()
    assert (report["claimed"], report["opened"], report["remaining"]) == (1, 1, 0)


def test_the_recovery_endpoint_opens_cancels_and_expires_orders_and_does_not_count_what_rests(sweep, account):
    market.quote("99.95", "101.00", "100.50")
    trader = account().id
    market.rest(trader, "BUY", 1, price="100.00")
    market.rest(trader, "BUY", 1, price="100.00", validity="IOC")
    market.rest(trader, "BUY", 1, price="100.00", ends_at=market.now())
    report = sweep("limit=2").get_json()
    counted = ("claimed", "executed", "opened", "cancelled", "expired", "remaining")
    assert [report[name] for name in counted] == [2, 0, 1, 1, 1, 0]


def test_without_a_worker_the_recovery_endpoint_does_the_daily_work(sweep, account, clock, set_up):  # noqa: F811
    clock("2026-11-02 15:00")
    market.quote("99.95", "100.00", "99.98")
    trader = account(fill_model="QUOTES").id
    execute(market.rest(trader, "BUY", 10, price="100.00"))
    clock("2026-11-02 15:12:40")
    market.quote("101.00", "101.10", "101.05")
    assert sweep().get_json()["dailyWorkDone"]
    assert rows("SELECT quantity FROM position") == [{"quantity": 0}]
    assert sweep().get_json()["dailyWorkDone"]


@pytest.mark.parametrize(
    "header", [None, "Bearer wrong", "Bearer", "Basic x", "Bearer sécret", "Bearer \xff\xfe", "Bearer " + "x" * 5_000]
)
def test_a_wrong_secret_is_refused(client, header):
    response = client.get(PATH, headers={} if header is None else {"Authorization": header})
    assert (response.status_code, response.get_json()["code"]) == (401, "unauthenticated")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_an_api_token_does_not_open_the_recovery_endpoint(client, headers_for):
    assert client.get(PATH, headers=headers_for("admin")).status_code == 401


def test_without_a_configured_secret_the_endpoint_is_disabled(app, client, settings, monkeypatch):
    monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, cron_secret=None))
    response = client.get(PATH, headers={"Authorization": "Bearer "})
    assert (response.status_code, response.get_json()["code"]) == (503, "cron_disabled")


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "limit=1&limit=2", "older=1"])
def test_a_bad_limit_is_named(sweep, query):
    response = sweep(query)
    assert response.status_code == 422
    assert set(response.get_json()["errors"]) == {query.split("=")[0]}


def test_the_recovery_endpoint_records_the_prices_of_a_minute_that_has_just_ended(sweep, clock):  # noqa: F811
    clock("2026-11-02 10:00:02")
    assert sweep().status_code == 200
    (recording,) = rows("SELECT minute FROM price_recording")
    assert recording["minute"].isoformat() == "2026-11-02T04:29:00+00:00"
