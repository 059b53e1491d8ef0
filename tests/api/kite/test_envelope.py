"""Every answer of Kite's door is in Kite's envelope, failures and pages of other origins included."""

import dataclasses
from decimal import Decimal

import pytest
import structlog

from actors import broker
from api import create_app
from api.http.errors import STATUS_BY_CODE, members_of
from api.kite.envelope import refusal_of
from models.database import DatabaseUnavailable
from tests.support.kite import VERSION, kite_headers
from trading.rules import errors

FRIEND = "https://desk.example"
# The classes of the Python client, and the words for which it has none but that Kite documents.
ERROR_TYPES = {
    *("TokenException", "PermissionException", "OrderException", "InputException", "DataException"),
    *("NetworkException", "GeneralException", "MarginException", "HoldingException", "UserException"),
}


def failing_profile(client, account, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("api.kite.users.find_account", fail)
    return client.get("/user/profile", headers=kite_headers(account().token))


def test_an_unexpected_error_is_a_500_in_the_envelope_and_shows_nothing(client, account, monkeypatch):
    with structlog.testing.capture_logs():
        answer = failing_profile(client, account, monkeypatch, RuntimeError("a secret of the implementation"))
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/json")
    assert (answer.get_json()["status"], answer.get_json()["error_type"]) == ("error", "GeneralException")
    assert "secret" not in answer.text


def test_without_its_database_a_request_is_a_network_exception_with_retry_after(client, account, monkeypatch):
    answer = failing_profile(client, account, monkeypatch, DatabaseUnavailable("no route to 10.0.0.7"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.get_json()["error_type"] == "NetworkException"
    assert "10.0.0.7" not in answer.text


@pytest.mark.parametrize("code", STATUS_BY_CODE)
def test_every_code_has_a_status_and_an_error_type_of_kite(app, code):
    members = {
        "required": "2.00",
        "available": "1.00",
        "tickSize": "0.05",
        "triggerPrice": "9.00",
        "lastPrice": "10.00",
        "price": "8.00",
    }
    with app.test_request_context("/kite/orders/regular", method="POST"):
        refusal = refusal_of(code, "The words.", members)
    assert refusal.error_type in ERROR_TYPES
    assert refusal.message
    assert refusal.status == 400 or refusal.status in {403, 404, 405, 408, 413, 415, 429, 500, 503}


@pytest.mark.parametrize(
    ("error", "status", "error_type", "message"),
    [
        (
            errors.InsufficientMargin(required=Decimal("95417.84"), available=Decimal("74251.80")),
            400,
            "MarginException",
            (
                "Insufficient funds. Required margin is 95417.84 but available margin is 74251.80. "
                "Check the orderbook for open orders."
            ),
        ),
        (
            errors.InsufficientHoldings(),
            400,
            "HoldingException",
            "Insufficient holdings. The quantity is more than is held and not promised to other orders.",
        ),
        (
            errors.PriceOffTick(field="price", tick_size=Decimal("0.10"), lower_price=None, upper_price=None),
            400,
            "InputException",
            "Tick size for this script is 0.10. Kindly enter price in the multiple of tick size for this script",
        ),
        (
            errors.TriggerOnWrongSide(trigger_price=Decimal("11.00"), last_price=Decimal("10.00")),
            400,
            "InputException",
            "Trigger price for stoploss sell orders should be lower than the last traded price",
        ),
        (errors.AccountSuspended(), 403, "PermissionException", "The account is suspended and may not trade."),
    ],
)
def test_a_refusal_has_the_words_that_bots_know(app, error, status, error_type, message):
    with app.test_request_context("/kite/orders/regular", method="POST"):
        refusal = refusal_of(error.code, error.message, members_of(error))
    assert (refusal.status, refusal.error_type, refusal.message) == (status, error_type, message)


def test_a_closed_market_hints_at_an_after_market_order(app):
    error = errors.MarketClosed(next_open=None)
    with app.test_request_context("/kite/orders/regular", method="POST"):
        refusal = refusal_of(error.code, error.message, members_of(error))
    assert refusal.message == "Your order could not be converted to a After Market Order (AMO)."
    assert refusal.data == {"hints": ["switch_to_amo"]}


@pytest.mark.parametrize(("method", "deed"), [("PUT", "modified"), ("DELETE", "cancelled")])
def test_an_order_that_is_no_longer_open_is_being_processed(app, method, deed):
    with app.test_request_context("/kite/orders/regular/1", method=method):
        refusal = refusal_of("order_not_open", "The order is already final.")
    assert refusal.message == f"Order cannot be {deed} as it is being processed. Try later."


@pytest.fixture
def friendly(settings, clean, configured):
    yield create_app(dataclasses.replace(settings, allowed_origins=(FRIEND,))).test_client()
    broker.configure(settings, role="web")


def test_a_page_of_an_allowed_origin_may_ask_and_read_errors_too(friendly):
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization,x-kite-version"}
    preflight = friendly.options("/user/profile", headers={"Origin": FRIEND} | asked)
    assert preflight.status_code == 200
    assert "x-kite-version" in preflight.headers["Access-Control-Allow-Headers"].lower()
    for origin, allowed in ((FRIEND, FRIEND), ("https://evil.example", None)):
        answer = friendly.get("/user/profile", headers=VERSION | {"Origin": origin})
        assert (answer.status_code, answer.headers.get("Access-Control-Allow-Origin")) == (403, allowed)
