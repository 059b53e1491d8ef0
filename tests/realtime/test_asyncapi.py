"""The AsyncAPI document: it is valid and complete, and the messages to listeners fit it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for

from api.reference.asyncapi import document
from api.stream import listeners, websocket
from schemas.events import EVENT_TYPES
from tests.acceptance.conftest import ORDER
from tests.conftest import CRON_SECRET
from tests.realtime.clients import ServerSentEvents, Stream, refusal
from tests.support.processes import Running
from tests.support.trading import run

# The JSON Schema of the specification, from @asyncapi/specs 6.11.1; see the NOTICE beside it.
SPECIFICATION = Path(__file__).resolve().parent / "asyncapi" / "3.0.0.json"
CRON = {"Authorization": f"Bearer {CRON_SECRET}"}
NO_EVENTS = ("auth", "ready", "reset", "watch", "unwatch", "watching", "quote", "problem")
LIMIT_ORDER = ORDER | {"price": "100.00"}


@pytest.fixture
def served(client: Any) -> dict[str, Any]:
    """Return the served document."""
    found: dict[str, Any] = client.get("/asyncapi.json").get_json()
    return found


def complaints(served: dict[str, Any], name: str, message: Any) -> list[str]:
    """Return the errors of a message against its schema."""
    schema = served["components"]["messages"][name]["payload"] | {"components": served["components"]}
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(message)]


def test_the_document_is_valid(served: dict[str, Any]) -> None:
    specification = json.loads(SPECIFICATION.read_text())
    validator = validator_for(specification)(specification)
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(served)] == []
    assert not validator.is_valid(served | {"channels": {"stream": {"address": 1}}})
    assert served == json.loads(json.dumps(document()))


def test_every_reference_resolves(served: dict[str, Any]) -> None:
    def walk(part: Any) -> None:
        if isinstance(part, dict):
            if "$ref" in part:
                found = served
                for name in part["$ref"].removeprefix("#/").split("/"):
                    found = found[name]
            for below in part.values():
                walk(below)
        elif isinstance(part, list):
            for below in part:
                walk(below)

    walk(served)


def test_every_message_has_an_example_that_fits(served: dict[str, Any]) -> None:
    for name, message in served["components"]["messages"].items():
        assert complaints(served, name, message["examples"][0]["payload"]) == [], name
        assert message["summary"]


def test_every_member_has_a_description(served: dict[str, Any]) -> None:
    parts = served["components"]["schemas"] | {
        name: message["payload"] for name, message in served["components"]["messages"].items()
    }
    bare = [
        f"{name}.{member}"
        for name, schema in parts.items()
        for member, part in schema["properties"].items()
        if not {"description", "const", "$ref"} & part.keys()
    ]
    assert bare == []


def test_the_types_of_events_are_those_of_the_database(served: dict[str, Any], plain_sql: Any) -> None:
    text = "SELECT DISTINCT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'event_type_check'"
    ((rule,),) = plain_sql.run(text)
    words = re.search(r"order\[\.\]\(([\w|]+)\)\|\(([\w|]+)\)\[\.\]updated", rule)
    assert words is not None
    of_orders, others = (part.split("|") for part in words.groups())
    assert {*(f"order.{word}" for word in of_orders), *(f"{word}.updated" for word in others)} == set(EVENT_TYPES)
    assert set(served["channels"]["stream"]["messages"]) == {*NO_EVENTS, *EVENT_TYPES}


def test_every_ending_is_described(served: dict[str, Any]) -> None:
    described = {(code["code"], code["reason"]) for code in served["channels"]["stream"]["x-close-codes"]}
    for module in (listeners, websocket):
        endings = [value for value in vars(module).values() if isinstance(value, listeners.Ending)]
        assert {(ending.code, ending.reason) for ending in endings} <= described


@pytest.mark.acceptance
def test_messages_to_listeners_fit_the_document(
    web: Running, account: Any, headers_for: Any, plain_sql: Any, quote: Any, served: dict[str, Any]
) -> None:
    trader, admin = account(), headers_for("admin", "feed")
    quote("RELIANCE", "100.00")
    greeting = {"action": "auth", "token": trader.token, "since": 0}
    seen = {"auth": complaints(served, "auth", greeting)}
    with Stream(web.port) as listener, ServerSentEvents(web.port, trader.token, query="?since=0") as blocks:
        listener.authenticate(**{name: value for name, value in greeting.items() if name != "action"})
        make_every_event(web.base_url, trader, admin)
        make_events_of_resting_orders(web.base_url, trader, admin)
        last = plain_sql.last_event_id(trader.id)
        message: dict[str, Any] = {}
        while message.get("id") != last:
            message = listener.next()
            seen.setdefault(message["type"], []).extend(complaints(served, message["type"], message))
        for block in blocks.take(last + 1):
            assert complaints(served, block["event"], block["data"]) == []
            assert block.get("id", "0") == str(block["data"].get("id", 0))
    with Stream(web.port, trader.token, query="?since=999999") as listener:
        for action in ("watch", "unwatch"):
            request = {"action": action, "symbols": ["NSE:RELIANCE", "NSE:RELAINCE"]}
            seen[action] = complaints(served, action, request)
            listener.socket.send(json.dumps(request))
        listener.socket.send("hello")
        listener.socket.send(json.dumps({"action": "watch", "symbols": ["NSE:RELIANCE"]}))
        while not {"problem", "quote"} <= seen.keys():
            message = listener.next()
            seen.setdefault(message["type"], []).extend(complaints(served, message["type"], message))
    assert seen == {name: [] for name in served["channels"]["stream"]["messages"]}


def make_every_event(url: str, trader: Any, admin: dict[str, str]) -> None:
    """Place, modify, execute, close, cancel, reject and deposit, so that each type of event happens."""

    def post(path: str, body: dict[str, Any] | None = None, headers: dict[str, str] = trader.headers) -> dict[str, Any]:
        answer = requests.post(url + path, json=body, headers=headers, timeout=10)
        assert answer.status_code in (200, 201, 202), answer.text
        return dict(answer.json())

    def execute() -> None:
        answer = requests.get(f"{url}/api/cron/order-worker", headers=CRON, timeout=10)
        assert answer.status_code == 200, answer.text

    order_path = f"{url}/api/trading/orders/{post('/api/trading/orders', LIMIT_ORDER)['orderId']}"
    tag = requests.get(order_path, headers=trader.headers, timeout=10).headers["ETag"]
    change = requests.patch(
        order_path, json={"price": "101.00"}, headers=trader.headers | {"If-Match": tag}, timeout=10
    )
    assert change.status_code == 200, change.text
    execute()
    (position,) = requests.get(f"{url}/api/trading/positions", headers=trader.headers, timeout=10).json()["data"]
    post(f"/api/trading/positions/{position['positionId']}/close")
    execute()
    cancelled = post("/api/trading/orders", LIMIT_ORDER)["orderId"]
    assert (
        requests.delete(f"{url}/api/trading/orders/{cancelled}", headers=trader.headers, timeout=10).status_code == 200
    )
    post(f"/api/admin/accounts/{trader.id}/funds", {"kind": "DEPOSIT", "amount": "1.00"}, admin)
    # Sweeping rejects an order that has failed alone too often.
    rejected = post("/api/trading/orders", LIMIT_ORDER)["orderId"]
    run("UPDATE trading_order SET attempts = 5, retry_at = now() - interval '1 s' WHERE id = %s", rejected)
    execute()


def make_events_of_resting_orders(url: str, trader: Any, admin: dict[str, str]) -> None:
    """Let a stop rest, trigger and expire, so that each type of event of a resting order happens."""

    def send(method: str, path: str, body: dict[str, Any] | None = None, headers: dict[str, str] = admin) -> Any:
        answer = requests.request(method, url + path, json=body, headers=headers, timeout=10)
        assert answer.status_code in (200, 202), answer.text
        return answer.json()

    def quote(last: str) -> None:
        book = {"bidPrice": last, "askPrice": "120.00", "lastPrice": last}
        send("PUT", "/api/market/quotes", {"quotes": [{"exchange": "NSE", "symbol": "RELIANCE", **book}]})
        send("GET", "/api/cron/order-worker", headers=CRON)

    send("PATCH", f"/api/admin/accounts/{trader.id}", {"fillModel": "QUOTES"})
    quote("100.00")
    stop = LIMIT_ORDER | {"orderType": "STOP_LIMIT", "triggerPrice": "105.00", "price": "106.00"}
    order = send("POST", "/api/trading/orders", stop, trader.headers)["orderId"]
    quote("101.00")
    quote("105.50")
    run("UPDATE trading_order SET expires_at = now() WHERE id = %s", order)
    quote("105.60")


def test_close_codes_and_refusals_are_those_of_the_document(
    web: Running, account: Any, headers_for: Any, served: dict[str, Any]
) -> None:
    codes = {ending["code"] for ending in served["channels"]["stream"]["x-close-codes"]}
    for first, code in (('{"action": "auth", "token": "tp_nobody"}', 4401), ("hello", 4401), ("x" * 20_000, 1009)):
        with Stream(web.port) as listener:
            listener.socket.send(first)
            assert listener.close_code() == code
            assert code in codes
    described = {answer["status"] for answer in served["channels"]["stream"]["x-refusals"]}
    trader, feeder = account(), headers_for("feed")["Authorization"].removeprefix("Bearer ")
    attempts = {
        401: {"token": "tp_nobody"},
        403: {"token": feeder},
        404: {"token": trader.token, "query": f"?tradingAccountId={account().id}"},
        422: {"token": trader.token, "query": "?since=x"},
    }
    for status, attempt in attempts.items():
        assert refusal(web.port, **attempt)[0] == status
        assert status in described
