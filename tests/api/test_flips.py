"""A flip over HTTP: an order that closes a position and opens the opposite one."""

from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import CRON_SECRET
from trading.accounts import administration
from trading.upkeep import verify

CRON = {"Authorization": f"Bearer {CRON_SECRET}"}


@pytest.fixture
def execute(client: Any) -> Any:
    """Return a function that executes what is due and returns an account's order as a client reads it."""

    def run(trader: Any, order_id: str) -> Any:
        assert client.get("/api/cron/order-worker", headers=CRON).status_code == 200
        return client.get(f"/api/trading/orders/{order_id}", headers=trader.headers).get_json()

    return run


@pytest.fixture
def trader_with(client: Any, account: Any, place: Any, execute: Any) -> Any:
    """Return a function that opens an account that is long 10 at 100.00 and has an available margin."""

    def make(available: str) -> Any:
        trader = account()
        bought = execute(trader, place(trader).get_json()["orderId"])
        assert bought["status"] == "EXECUTED"
        left = client.get("/api/trading/account", headers=trader.headers).get_json()["availableMargin"]
        administration.move_funds(trader.id, "WITHDRAWAL", Decimal(left) - Decimal(available))
        return trader

    return make


def test_a_flip_without_free_margin_is_accepted_because_it_frees_its_own(trader_with, place, execute, client):
    trader = trader_with("0.97")  # the charges; what it opens needs 100.00, what it closes frees 200.00
    response = place(trader, side="SELL", quantity=15)
    assert response.status_code == 202
    order = response.get_json()["order"]
    assert (order["blockedMargin"], order["charges"]) == ("0.00", "0.97")
    done = execute(trader, order["orderId"])
    assert (done["status"], done["averagePrice"]) == ("EXECUTED", "100.00")
    moved = [(entry["kind"], entry["amount"]) for entry in done["transactions"]]
    assert moved == [("CHARGES", "0.97"), ("MARGIN_RELEASE", "100.00")]
    money = client.get("/api/trading/account", headers=trader.headers).get_json()
    assert (money["blockedMargin"], money["availableMargin"]) == ("100.00", "100.00")
    (position,) = client.get("/api/trading/positions", headers=trader.headers).get_json()["data"]
    assert (position["quantity"], position["blockedMargin"]) == (-5, "100.00")
    assert verify.verify() == []


def test_a_flip_needs_its_charges_in_free_margin(trader_with, place):
    response = place(trader_with("0.96"), side="SELL", quantity=15)
    problem = response.get_json()
    assert (response.status_code, problem["code"]) == (422, "insufficient_margin")
    assert (problem["required"], problem["available"]) == ("0.97", "0.96")


def test_a_larger_flip_needs_what_it_does_not_free(trader_with, place):
    # 30 more at 100.00 need 600.00; 200.00 are freed; the charges of 40 are 2.56.
    refused = place(trader_with("402.55"), side="SELL", quantity=40).get_json()
    assert (refused["required"], refused["available"]) == ("402.56", "402.55")
    accepted = place(trader_with("402.56"), side="SELL", quantity=40)
    assert accepted.get_json()["order"]["blockedMargin"] == "400.00"


def test_a_preview_of_a_flip_shows_what_it_would_block(trader_with, client):
    trader = trader_with("0.97")
    order = {"exchange": "NSE", "symbol": "RELIANCE", "side": "SELL", "quantity": 15, "orderType": "LIMIT"}
    asked = client.post("/api/trading/orders/preview", json=order | {"price": "100.00"}, headers=trader.headers)
    preview = asked.get_json()
    assert (preview["margin"], preview["charges"], preview["refusal"]) == ("0.00", "0.97", None)
    assert preview["availableMarginAfter"] == "0.00"
