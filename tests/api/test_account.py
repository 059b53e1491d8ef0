"""The account, its fund ledger, and its events."""

from decimal import Decimal

import pytest

from models.database import execute, session
from tests.support.trading import execute_orders, hold
from trading.accounts.tokens import create_token
from trading.matching.feed import set_quotes

EQUITY = "/api/trading/account/equity"


@pytest.fixture
def trader(account):
    """Return an account with a token."""
    return account("1000000.00", name="Meera & Söhne")


@pytest.fixture
def get(client, trader):
    """Return a function that gets a path below /api/trading as JSON."""
    return lambda path: client.get(f"/api/trading/{path}", headers=trader.headers).get_json()


def test_the_account_is_read_with_all_its_fields(get, trader, place):
    place(trader, quantity=10, price="2500.00")
    document = get("account")
    charges = get("transactions?kind=CHARGES")["data"][0]["amount"]
    assert document == {
        "tradingAccountId": str(trader.id),
        "name": "Meera & Söhne",
        "balance": f"{1_000_000 - float(charges):.2f}",
        "blockedMargin": "5000.00",
        "availableMargin": f"{995_000 - float(charges):.2f}",
        "realizedPnl": "0.00",
        "unrealizedPnl": "0.00",
        "status": "ACTIVE",
        "fillModel": "IMMEDIATE",
        "scopes": ["read", "trade"],
    }


def test_the_account_names_the_scopes_of_the_token_that_asks(client, trader, headers_for):
    _, secret = create_token(["read"], account_id=trader.id)
    reader = {"Authorization": f"Bearer {secret}"}
    assert client.get("/api/trading/account", headers=reader).get_json()["scopes"] == ["read"]
    path = f"/api/trading/account?tradingAccountId={trader.id}"
    assert client.get(path, headers=headers_for("feed", "admin")).get_json()["scopes"] == ["admin", "feed"]


def test_the_ledger_is_listed_newest_first_page_by_page(get, trader, place):
    for _ in range(3):
        place(trader)
    every = get("transactions?limit=200")["data"]
    assert [row["id"] for row in every] == sorted((row["id"] for row in every), reverse=True)
    assert every[-1] == {
        "id": every[-1]["id"],
        "kind": "DEPOSIT",
        "amount": "1000000.00",
        "balanceAfter": "1000000.00",
        "blockedAfter": "0.00",
        "orderId": None,
        "positionId": None,
        "createdAt": every[-1]["createdAt"],
    }
    seen, cursor = [], ""
    while cursor is not None:
        page = get(f"transactions?limit=2{cursor and '&cursor=' + cursor}")
        seen, cursor = seen + page["data"], page["nextCursor"]
    assert seen == every


def test_the_ledger_is_filtered_by_order_and_kind(get, trader, place):
    first, second = (place(trader).get_json()["orderId"] for _ in range(2))
    assert {row["orderId"] for row in get(f"transactions?orderId={first}")["data"]} == {first}
    assert [row["orderId"] for row in get("transactions?kind=MARGIN_BLOCK")["data"]] == [second, first]
    assert len(get(f"transactions?kind=CHARGES&orderId={second}")["data"]) == 1


def test_events_after_the_given_id_are_listed_oldest_first(get, trader, place):
    order_id = place(trader).get_json()["orderId"]
    execute_orders([order_id])
    page = get("events")
    assert [event["id"] for event in page["data"]] == list(range(1, len(page["data"]) + 1))
    assert page["lastEventId"] == page["data"][-1]["id"]
    assert set(page["data"][0]) == {"id", "type", "at", "data"}
    types = [event["type"] for event in page["data"]]
    assert types.index("order.pending") < types.index("order.executed")
    assert {event["data"]["tradingAccountId"] for event in page["data"]} == {str(trader.id)}
    later = get(f"events?since={page['lastEventId'] - 2}&limit=1")
    assert [event["id"] for event in later["data"]] == [page["lastEventId"] - 1]
    assert later["lastEventId"] == page["lastEventId"] - 1


def test_a_client_that_passes_the_last_id_back_misses_no_event(get, trader, place):
    last = get("events")["lastEventId"]
    assert get(f"events?since={last}") == {"data": [], "lastEventId": last}
    place(trader)
    assert get(f"events?since={last}")["data"][0]["id"] == last + 1


def test_an_id_that_is_not_kept_or_not_known_is_a_reset(get, trader, place, cleaner):
    place(trader)
    last = get("events")["lastEventId"]
    assert get("events?since=9223372036854775807") == {"data": [], "lastEventId": last, "reset": True}
    with cleaner.cursor() as cursor:
        cursor.execute("DELETE FROM event WHERE account_id = %s AND id <= 2", (str(trader.id),))
    kept = get("events?since=1")
    assert (kept["data"][0]["id"], kept["reset"]) == (3, True)
    assert "reset" not in get("events?since=2")
    assert "reset" not in get("events")


def test_the_data_of_an_event_equals_the_get(get, trader, place, quote):
    quote("RELIANCE", "90.00")
    order_id = place(trader).get_json()["orderId"]
    execute_orders([order_id])
    place(trader, side="SELL", quantity=3)
    latest = {}
    for event in get("events?limit=200")["data"]:
        latest[event["type"].split(".")[0], event["data"].get("orderId")] = event["data"]
    order = get(f"orders/{order_id}")
    del order["transactions"]
    assert latest["order", order_id] == order
    position = get("positions")["data"][0]
    del position["lastPrice"], position["unrealizedPnl"], position["dayPnl"]
    assert latest["position", None] == position
    account = get("account")
    del account["unrealizedPnl"], account["scopes"]
    assert latest["account", None] == account


def test_a_change_made_in_sql_writes_an_event(get, trader):
    with session():
        execute("UPDATE account SET status = 'SUSPENDED' WHERE id = %s", (trader.id,))
    event = get("events")["data"][-1]
    assert (event["type"], event["data"]["status"]) == ("account.updated", "SUSPENDED")


@pytest.mark.parametrize(
    "query", ["since=-1", "since=x", "since=9223372036854775808", "limit=0", "limit=201", "until=1"]
)
def test_a_bad_query_for_events_names_its_parameter(client, trader, query):
    response = client.get(f"/api/trading/events?{query}", headers=trader.headers)
    assert set(response.get_json()["errors"]) == {query.split("=")[0]}


def test_the_equity_of_an_account_over_time(client, account):
    trader = account()
    hold(trader.id, "BUY", 10, "100.00")
    set_quotes([("NSE", "RELIANCE", Decimal("104.00"))])
    answer = client.get(EQUITY, headers=trader.headers, query_string={"interval": "1m"}).get_json()
    assert answer["interval"] == "1m"
    point, funds = answer["data"][-1], client.get("/api/trading/account", headers=trader.headers).get_json()
    assert point | {"at": None} == {
        "at": None,
        "balance": funds["balance"],
        "unrealizedPnl": "40.00",
        "equity": f"{Decimal(funds['balance']) + 40}",
    }


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"interval": "5m"}, "interval"),
        ({"from": "2020-01-01T00:00:00Z"}, "from"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2020-01-01"}, "to"),
        ({"limit": "3"}, "limit"),
    ],
)
def test_a_range_of_equity_that_cannot_be_answered_is_refused(client, account, query, field):
    answer = client.get(EQUITY, headers=account().headers, query_string=query)
    assert (answer.status_code, list(answer.get_json()["errors"])) == (422, [field])
