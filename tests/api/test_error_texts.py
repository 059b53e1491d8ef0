"""The details of refusals: a client that shows nothing else tells what to mend."""

from typing import Any

import pytest

from tests.support.trading import cancel, order_now

ORDER = {
    "exchange": "NSE",
    "symbol": "RELIANCE",
    "side": "BUY",
    "quantity": 10,
    "orderType": "LIMIT",
    "price": "100.00",
}
NOT_SIMULATED = (
    "The account's fill model does not simulate these fields: orderType, triggerPrice; "
    "an account with the fill model QUOTES takes them."
)


@pytest.fixture
def trader(account: Any) -> Any:
    """Return an account with a token."""
    return account()


@pytest.fixture
def detail(client: Any, trader: Any) -> Any:
    """Return a function that places an order and returns the detail of its refusal."""

    def refused(**changes: Any) -> str:
        body = {name: value for name, value in (ORDER | changes).items() if value is not ...}
        problem = client.post("/api/trading/orders", json=body, headers=trader.headers).get_json()
        text: str = problem["detail"]
        return text.removeprefix("The request is not valid. ")

    return refused


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("order_type", "orderType"),
        ("ordertype", "orderType"),
        ("type", "orderType"),
        ("Quantity", "quantity"),
        ("quantitiy", "quantity"),
        ("qty", "quantity"),
        ("transaction_type", "side"),
        ("tradingsymbol", "symbol"),
        ("client-order-id", "clientOrderId"),
    ],
)
def test_an_unknown_field_names_the_one_that_is_meant(detail: Any, name: str, meant: str) -> None:
    assert detail(**{name: 1}) == f"{name}: Unknown field; did you mean {meant}?"


@pytest.mark.parametrize("name", ["colour", "page", "variety", "x", "", "ſ", "a" * 99])
def test_an_unknown_field_that_is_like_none_names_none(detail: Any, name: str) -> None:
    assert detail(**{name: 1}) == f"{name}: Unknown field."


def test_the_detail_has_the_messages_of_five_fields_and_the_number_of_the_others(detail: Any) -> None:
    assert detail(symbol=..., side="buy") == (
        "symbol: Missing data for required field. side: Must be one of: BUY, SELL."
    )
    assert detail(quantity="10") == 'quantity: Must be a JSON integer, such as 10, and neither "10" nor 10.0.'
    many = detail(**{f"x{number}": 1 for number in range(8)})
    assert (many.count("Unknown field."), many.endswith(" And 3 more.")) == (5, True)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"symbol": "TATA MOTORS"}, "symbol: Must consist of letters, digits and & _ . - without blanks."),
        ({"clientOrderId": "é"}, "clientOrderId: Must consist of printable ASCII characters."),
        ({"price": "1,000.00"}, 'price: Must be a decimal number, such as "1050.00", without commas or an exponent.'),
        (
            {"quantity": 1_000_000, "price": "100.00"},
            "The available margin is below the required amount: 20006764.20 is required, 1000000.00 is available.",
        ),
        ({"orderType": "STOP_MARKET", "price": None, "triggerPrice": "90.00"}, NOT_SIMULATED),
    ],
)
def test_the_detail_tells_what_to_mend(detail: Any, changes: dict[str, Any], text: str) -> None:
    assert detail(**changes) == text


def test_an_order_that_is_final_is_told_with_its_status(client: Any, trader: Any, place: Any) -> None:
    order = order_now({"id": place(trader).get_json()["orderId"]})
    cancel(order)
    refused = client.delete(f"/api/trading/orders/{order['id']}", headers=trader.headers).get_json()
    assert refused["detail"] == "The order is already final: it is CANCELLED."


def test_a_request_without_a_body_or_a_token_is_told_what_is_missing(client: Any, trader: Any) -> None:
    without_body = client.post("/api/trading/orders", headers=trader.headers).get_json()
    assert without_body["detail"] == "The body is missing: a JSON object is required."
    without_token = client.get("/api/trading/orders").get_json()
    assert without_token["detail"] == "A bearer token is required, in the header Authorization: Bearer <token>."


def test_an_item_of_a_basket_is_told_as_an_order_is(client: Any, trader: Any) -> None:
    basket = {"orders": [7, ORDER | {"qty": 1}]}
    results = client.post("/api/trading/orders/batch", json=basket, headers=trader.headers).get_json()["results"]
    assert [result["problem"]["errors"] for result in results] == [
        {"body": ["Must be a JSON object."]},
        {"qty": ["Unknown field; did you mean quantity?"]},
    ]
