"""A preview tells what a placement would take, and leaves nothing behind."""

from decimal import Decimal
from typing import Any

import pytest

from models.database import fetch_one, session, snapshot
from tests.conftest import CRON_SECRET
from tests.support.servers import path_to
from trading.orders.preview import preview_order
from trading.rules.decision import OrderRequest

CRON = {"Authorization": f"Bearer {CRON_SECRET}"}
# Side, quantity and product of an order, and what it would close and open of 10 that are held.
ORDERS = {
    "opens": ("BUY", 5, "INTRADAY", (0, 5)),
    "closes": ("SELL", 4, "INTRADAY", (4, 0)),
    "flips": ("SELL", 15, "INTRADAY", (10, 5)),
    "buys to keep": ("BUY", 5, "DELIVERY", (0, 5)),
}


@pytest.fixture
def trader(client: Any, account: Any, place: Any) -> Any:
    """Return an account that holds 10 RELIANCE intraday."""
    holder = account()
    assert place(holder).status_code == 202
    assert client.get("/api/cron/order-worker", headers=CRON).get_json()["executed"] == 1
    return holder


@pytest.fixture
def preview(client: Any) -> Any:
    """Return a function that previews an order, by default LIMIT BUY 10 RELIANCE at 100.00."""

    def make(account: Any, **changes: Any) -> Any:
        order = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 10, "orderType": "LIMIT"}
        order |= {"price": "100.00"} | changes
        return client.post("/api/trading/orders/preview", json=order, headers=account.headers)

    return make


def shown(client: Any, account: Any) -> dict[str, Any]:
    return client.get("/api/trading/account", headers=account.headers).get_json()


@pytest.mark.parametrize(("side", "quantity", "product", "split"), ORDERS.values(), ids=ORDERS)
def test_a_placement_blocks_the_margin_and_charges_of_its_preview(
    client: Any, trader: Any, place: Any, preview: Any, side: str, quantity: int, product: str, split: tuple[int, int]
) -> None:
    order = {"side": side, "quantity": quantity, "product": product, "price": "110.00"}
    told = preview(trader, **order).get_json()
    assert (told["closingQuantity"], told["openingQuantity"]) == split
    assert (told["price"], told["refusal"]) == ("110.00", None)
    assert told["availableMargin"] == shown(client, trader)["availableMargin"]
    assert sum(map(Decimal, told["chargeItems"].values())) == Decimal(told["charges"])

    placed = place(trader, **order).get_json()["order"]
    assert (placed["blockedMargin"], placed["charges"]) == (told["margin"], told["charges"])
    assert shown(client, trader)["availableMargin"] == told["availableMarginAfter"]


def test_a_preview_writes_no_row(client: Any, trader: Any, preview: Any) -> None:
    def rows() -> Any:
        with session():
            return fetch_one(
                "SELECT (SELECT count(*) FROM trading_order) AS orders, (SELECT count(*) FROM stock) AS stocks,"
                " (SELECT count(*) FROM event) AS events, (SELECT count(*) FROM fund_transaction) AS entries"
            )

    before = rows(), shown(client, trader)
    assert preview(trader).status_code == 200
    assert preview(trader, symbol="UNKNOWN").status_code == 200
    assert (rows(), shown(client, trader)) == before


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": 100_000}, "insufficient_margin"),
        ({"side": "SELL", "product": "DELIVERY"}, "insufficient_holdings"),
    ],
)
def test_a_preview_without_cover_shows_its_amounts_and_the_refusal(
    trader: Any, place: Any, preview: Any, changes: dict[str, Any], code: str
) -> None:
    told = preview(trader, **changes)
    assert (told.status_code, told.get_json()["refusal"]) == (200, code)
    assert Decimal(told.get_json()["margin"]) > 0
    assert place(trader, **changes).get_json()["code"] == code


def refused(answer: Any) -> str | None:
    """Return the code of a refusal, told in a preview or instead of an answer."""
    document = answer.get_json()
    return document["refusal"] if answer.status_code == 200 else document["code"]


@pytest.mark.parametrize("changes", [{}, {"side": "SELL", "quantity": 4}, {"quantity": 100_000}])
def test_any_other_refused_preview_shows_its_amounts_and_the_refusal(
    client: Any, trader: Any, place: Any, preview: Any, headers_for: Any, market_closed: Any, changes: dict[str, Any]
) -> None:
    assert place(trader, clientOrderId="once", symbol="OTHER").status_code == 202
    open_told = preview(trader, **changes).get_json()
    market_closed()
    told = [preview(trader, **changes)]
    suspend = {"json": {"status": "SUSPENDED"}, "headers": headers_for("admin")}
    assert client.patch(f"/api/admin/accounts/{trader.id}", **suspend).status_code == 200
    told += [preview(trader, **changes), preview(trader, **changes, clientOrderId="once")]
    codes = ["market_closed", "account_suspended", "duplicate_client_order_id"]
    assert [answer.status_code for answer in told] == [200] * 3
    assert [answer.get_json() for answer in told] == [open_told | {"refusal": code} for code in codes]
    assert place(trader, **changes).get_json()["code"] == "account_suspended"
    assert place(trader, **changes, clientOrderId="once").get_json()["code"] == "duplicate_client_order_id"


def test_a_preview_shows_the_first_refusal_of_a_placement(
    client: Any, account: Any, place: Any, preview: Any, headers_for: Any, market_closed: Any, quote: Any
) -> None:
    trader = account("10.00")
    order = {"symbol": "UNPRICED", "orderType": "MARKET", "price": None, "side": "SELL", "product": "DELIVERY"}

    def codes() -> set[str | None]:
        return {refused(preview(trader, **order)), refused(place(trader, **order))}

    def set_status(status: str) -> None:
        change = {"json": {"status": status}, "headers": headers_for("admin")}
        assert client.patch(f"/api/admin/accounts/{trader.id}", **change).status_code == 200

    assert codes() == {"no_price"}
    market_closed()
    assert codes() == {"market_closed"}
    set_status("SUSPENDED")
    assert codes() == {"account_suspended"}
    quote("UNPRICED", "5000.00")
    assert codes() == {"account_suspended"}
    set_status("ACTIVE")
    assert codes() == {"market_closed"}


def test_a_preview_does_not_wait_for_locks(trader: Any, preview: Any, connect: Any) -> None:
    before = preview(trader).get_json()
    holder = connect()
    with holder.cursor() as cursor:
        for table, column in (("account", "id"), ("trading_order", "account_id"), ("position", "account_id")):
            cursor.execute(
                f"{path_to(trader.id)} SELECT 1 FROM {table} WHERE {column} = %s FOR UPDATE", (str(trader.id),)
            )
    assert preview(trader).get_json() == before


def test_a_preview_locks_and_writes_nothing(trader: Any) -> None:
    request = OrderRequest("NSE", "NEVERSEEN", "BUY", 1, "LIMIT", Decimal("1.00"))
    with snapshot():  # in which the database refuses both
        assert preview_order(trader.id, request, calendar=None).refusal is None


def test_a_preview_without_a_price_is_refused_like_a_placement(client: Any, account: Any, headers_for: Any) -> None:
    order = {"exchange": "NSE", "symbol": "UNKNOWN", "side": "BUY", "quantity": 1}
    trader = account()
    for path in ("orders", "orders/preview"):
        answer = client.post(f"/api/trading/{path}", json=order, headers=trader.headers)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "no_price")
    suspend = {"json": {"status": "SUSPENDED"}, "headers": headers_for("admin")}
    assert client.patch(f"/api/admin/accounts/{trader.id}", **suspend).status_code == 200
    answer = client.post("/api/trading/orders/preview", json=order, headers=trader.headers)
    assert answer.get_json()["code"] == "account_suspended"
