"""Each example of the OpenAPI document shows what the routes answer.

The steps of Asha's story are answered exactly as the examples say, but for ids, numbers and times. `test_openapi.py`
compares all other answers with their examples, by their members and the kinds of their values.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import pairwise
from operator import itemgetter
from typing import Any

import pytest

from tests.security.operations import operations_of
from tests.support.examples import differences, example_of, optional_members
from tests.support.trading import execute_orders
from trading.market.stocks import import_stocks
from trading.matching.stock_changes import ImportedFacts, set_facts
from trading.rules.ledger import EFFECTS
from trading.rules.terms import LedgerKind

QUOTE = {"exchange": "NSE", "symbol": "RELIANCE", "lastPrice": "2500.00", "bidPrice": "2499.95", "askPrice": "2500.05"}


class Story:
    """The routes, called with the examples of their bodies; it notes where answers differ from their examples."""

    def __init__(self, client: Any, document: dict[str, Any]) -> None:
        self.client = client
        self.document = document
        self.operations = {each.spec["operationId"]: each for each in operations_of(document)}
        self.differences: list[str] = []
        self.optional = optional_members(document)

    def tell(self, name: str, status: int, headers: dict[str, str], *, exactly: bool = True, **options: Any) -> Any:
        """Call a route with the example of its body, compare its answer, and return it."""
        operation = self.operations[name]
        things, query = options.get("things", {}), options.get("query", {})
        body = example_of(self.document, operation.spec.get("requestBody", {}).get("content", {}))
        response = self.client.open(
            operation.url(**things),
            method=operation.method,
            headers=operation.required_headers | headers,
            query_string=query,
            **({} if body is None else {"json": body | options.get("more", {})}),
        )
        assert response.status_code == status, f"{name}: {response.text}"
        shown = example_of(self.document, operation.spec["responses"][str(status)]["content"])
        optional = () if exactly else self.optional
        self.differences += differences(
            shown, response.get_json(), f"{name} {status}", exactly=exactly, optional=optional
        )
        return response.get_json()


@pytest.fixture
def story(client: Any, document: dict[str, Any]) -> Iterator[Story]:
    """Return the story before its first step; at its end no answer was unlike its example."""
    import_stocks([("NSE", "RELIANCE")], {("NSE", "RELIANCE"): "Reliance Industries"})
    set_facts([ImportedFacts("NSE", "RELIANCE", lot_size=1)])
    story = Story(client, document)
    yield story
    assert story.differences == [], "\n".join(story.differences)


@pytest.fixture
def admin(headers_for: Any) -> Any:
    """Return the headers of a token with the scopes admin and feed."""
    return headers_for("admin", "feed")


@pytest.fixture
def open_account(story: Story, admin: dict[str, str]) -> Callable[[], tuple[str, dict[str, str]]]:
    """Return a function that opens Asha's account anew, and returns its id and the headers of its token."""

    def make() -> tuple[str, dict[str, str]]:
        account_id = story.tell("adminCreate", 201, admin)["tradingAccountId"]
        token = story.tell("adminAddToken", 201, admin, things={"account_id": account_id})["token"]
        return account_id, {"Authorization": f"Bearer {token}"}

    return make


def test_asha_buys_ten_shares_as_the_examples_say(story: Story, open_account: Any, admin: dict[str, str]) -> None:
    story.tell("marketPutQuotes", 200, admin)
    account_id, asha = open_account()
    story.tell("adminRead", 200, admin, things={"account_id": account_id})
    story.tell("ordersPreview", 200, asha)
    key = {"Idempotency-Key": "my-order-1"}
    order_id = story.tell("ordersPlace", 202, asha | key)["orderId"]
    order = {"order_id": order_id}
    story.tell("ordersRead", 200, asha, things=order)
    story.tell("ordersListOrders", 200, asha)
    story.tell("ordersHistory", 200, asha, things=order)
    story.tell("accountRead", 200, asha)
    story.tell("accountListTransactions", 200, asha)
    execute_orders([order_id])
    story.tell("ordersPlace", 200, asha | key | {"Prefer": "wait=1"})
    story.tell("tradesListTrades", 200, asha)
    story.tell("tradesListTradesOfOrder", 200, asha, things=order)
    position = {"position_id": story.tell("positionsListPositions", 200, asha)["data"][0]["positionId"]}
    story.tell("positionsRead", 200, asha, things=position)
    closing_id = story.tell("positionsClose", 202, asha | key, things=position)["orderId"]
    execute_orders([closing_id])
    story.tell("positionsClose", 200, asha | key | {"Prefer": "wait=1"}, things=position)
    story.tell("positionsConvert", 200, asha, things=position)
    story.tell("adminReset", 200, admin, things={"account_id": account_id})


def test_asha_changes_her_mind_as_the_examples_say(
    story: Story, open_account: Any, admin: dict[str, str], quote: Any
) -> None:
    quote()
    _, asha = open_account()
    story.tell("ordersModify", 200, asha, things={"order_id": story.tell("ordersPlace", 202, asha)["orderId"]})
    _, asha = open_account()
    story.tell("ordersCancel", 200, asha, things={"order_id": story.tell("ordersPlace", 202, asha)["orderId"]})
    _, asha = open_account()
    story.tell("ordersPlace", 202, asha, exactly=False, more={"clientOrderId": "my-order-1"})
    story.tell("ordersReadByClientId", 200, asha, things={"client_order_id": "my-order-1"})
    _, asha = open_account()
    story.tell("ordersPlaceBatch", 200, asha)
    story.tell("ordersCancelAll", 200, asha, exactly=False)
    account_id, asha = open_account()
    execute_orders([story.tell("ordersPlace", 202, asha)["orderId"]])
    story.tell("positionsCloseAll", 200, asha, exactly=False)
    account_id, _ = open_account()
    story.tell("adminAddFunds", 201, admin, things={"account_id": account_id})
    account_id, _ = open_account()
    story.tell("adminChangeStatus", 200, admin, things={"account_id": account_id})


def objects_in(part: Any) -> Iterator[dict[str, Any]]:
    """Yield each object in a part of the document."""
    if isinstance(part, dict):
        yield part
    for below in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from objects_in(below)


def money(row: dict[str, Any], *names: str) -> Decimal:
    """Return the sum of some members of a row."""
    return sum((Decimal(row[name]) for name in names), Decimal())


def agrees_as_an_order(row: dict[str, Any]) -> bool:
    """Return True if an order has what belongs to its status."""
    is_filled = row["status"] == "EXECUTED"
    facts = [row[name] is not None for name in ("executedAt", "averagePrice", "positionId")]
    return facts == [is_filled] * 3 and row["filledQuantity"] == (row["quantity"] if is_filled else 0)


def agrees_as_a_ledger(row: dict[str, Any]) -> bool:
    """Return True if the sums after each entry follow from those before it."""
    entries = sorted(row.get("transactions", row.get("data", ())), key=itemgetter("id"))
    return all(
        money(entry, "balanceAfter") == money(before, "balanceAfter") + on_balance * money(entry, "amount")
        and money(entry, "blockedAfter") == money(before, "blockedAfter") + on_blocked * money(entry, "amount")
        for before, entry in pairwise(entries)
        for on_balance, on_blocked in [EFFECTS[LedgerKind(entry["kind"])]]
    )


# What must hold for each object that has these members.
AGREEMENTS: dict[str, tuple[set[str], Callable[[dict[str, Any]], bool]]] = {
    "an order": ({"filledQuantity", "status", "executedAt"}, agrees_as_an_order),
    "charges": (
        {"charges", "chargeItems"},
        lambda row: money(row, "charges") == money(row["chargeItems"], *row["chargeItems"]),
    ),
    "an account": (
        {"balance", "blockedMargin"},
        lambda row: money(row, "availableMargin", "blockedMargin") == money(row, "balance"),
    ),
    "a preview": (
        {"availableMarginAfter"},
        lambda row: money(row, "availableMarginAfter", "margin", "charges") == money(row, "availableMargin"),
    ),
    "a holding": ({"settledQuantity"}, lambda row: row["quantity"] == row["settledQuantity"] + row["t1Quantity"]),
    "a refusal": ({"required", "available"}, lambda row: money(row, "required") > money(row, "available")),
    "an order's ledger": ({"transactions", "chargeItems"}, agrees_as_a_ledger),
}


def test_the_numbers_of_every_example_agree(document: dict[str, Any]) -> None:
    shown = [schema["examples"] for schema in document["components"]["schemas"].values()]
    shown += [part[name] for part in objects_in(document["paths"]) for name in ("example", "examples") if name in part]
    rows = list(objects_in(shown))
    for name, (members, agrees) in AGREEMENTS.items():
        found = [row for row in rows if members <= row.keys()]
        assert found, name
        assert [row for row in found if not agrees(row)] == [], name


def test_the_example_of_a_history_has_the_members_of_a_filled_orders_history(
    client: Any, account: Any, place: Any, headers_for: Any, document: dict[str, Any]
) -> None:
    trader = account(fill_model="QUOTES")
    client.put("/api/market/quotes", json={"quotes": [QUOTE]}, headers=headers_for("feed"))
    order_id = place(trader, quantity=1, price="2600.00").get_json()["orderId"]
    execute_orders([order_id])
    path = "/api/trading/orders/{order_id}"
    order = client.get(path.format(order_id=order_id), headers=trader.headers).get_json()
    assert order["averagePrice"] == order["fill"]["ask"] == "2500.05"
    shown = example_of(document, document["paths"][path]["get"]["responses"]["200"]["content"])
    assert differences(shown, order) == []
    (fill,) = document["components"]["schemas"]["Fill"]["examples"]
    assert differences(fill, order["fill"]) == []
    history = client.get(f"{path.format(order_id=order_id)}/history", headers=trader.headers).get_json()
    members = document["components"]["schemas"]["OrderChanges"]["properties"]
    assert all(moment["changes"].keys() <= members.keys() for moment in history["data"])
    assert history["data"][-1]["changes"]["fill"] == order["fill"]


def test_the_examples_of_many_orders_show_what_becomes_of_them(document: dict[str, Any]) -> None:
    def shown(path: str, method: str) -> Any:
        return example_of(document, document["paths"][path][method]["responses"]["200"]["content"])

    cancellations = shown("/api/trading/orders", "delete")
    assert [order["status"] for order in cancellations["cancelled"]] == ["CANCELLED"]
    assert [each["problem"]["code"] for each in cancellations["refused"]] == ["order_not_open"]
    assert cancellations["refused"][0]["orderId"] != cancellations["cancelled"][0]["orderId"]
    closings = shown("/api/trading/positions/close", "post")
    assert [(each["order"]["side"], each["order"]["orderType"]) for each in closings["placed"]] == [("SELL", "MARKET")]
    assert [each["problem"]["code"] for each in closings["refused"]] == ["nothing_to_close"]
    assert closings["refused"][0]["positionId"] != closings["placed"][0]["positionId"]
