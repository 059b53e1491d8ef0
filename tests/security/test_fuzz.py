"""Whatever stands in a body, a header, a cursor or a path: never a 5xx, and the books hold."""

import base64
import json
from datetime import UTC

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.fields import format_timestamp
from tests.security.conftest import EVENT_STREAM
from tests.support import trading
from trading.upkeep import verify

ORDER = {"exchange": "NSE", "symbol": "FUZZ", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": "1.00"}
JSON_TYPE = {"Content-Type": "application/json"}
MANY = settings(
    max_examples=100,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
# A header holds latin-1 on the wire, without the line ends, which would end it.
HEADER_TEXT = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=300)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=40),
    st.sampled_from(["NaN", "-0", "1e400", "-1e52095163", "0x10", "١٢", "1_000", " 1 ", "\x00", "\ud800", "2500.00"]),
    st.sampled_from(["NSE", "BUY"]),
    st.sampled_from([10**400, -(10**30), 2**63, 2**64, float("nan"), float("inf"), -0.0, 1e308]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
)
NUMBERS = st.from_regex(r"-?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,9})?", fullmatch=True)


def check(response, allowed=range(200, 500), sent=b""):
    """Fail for a 5xx, for an answer that is no JSON, and for one that shows internals; it may repeat what was sent."""
    assert response.status_code in allowed, (response.status_code, response.text)
    if response.status_code >= 400:
        assert response.content_type == "application/problem+json"
        problem = json.loads(response.get_data())
        assert problem["status"] == response.status_code
        for word in ("Traceback", "psycopg2", "marshmallow", "SELECT ", ".py"):
            assert word not in problem["detail"] or word.encode() in sent
    response.get_data().decode()


@pytest.fixture
def trader(account):
    yield account()
    assert verify.verify() == []


@MANY
@given(
    body=st.one_of(
        st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
    )
)
def test_any_bytes_as_a_body(client, trader, body):
    response = client.post("/api/trading/orders", data=body, headers=trader.headers | JSON_TYPE)
    check(response, range(400, 500))


@MANY
@given(
    changes=st.dictionaries(
        st.one_of(st.sampled_from([*ORDER, "product", "clientOrderId", "tradingAccountId"]), st.text(max_size=9)),
        VALUES,
        max_size=4,
    )
)
def test_any_values_in_an_order(client, trader, changes):
    order = ORDER | changes
    for path, body in (("orders", order), ("orders/preview", order), ("orders/batch", {"orders": [ORDER, order]})):
        text = json.dumps(body).encode("utf-8", "surrogatepass")
        check(client.post(f"/api/trading/{path}", data=text, headers=trader.headers | JSON_TYPE), sent=text)


@MANY
@given(
    items=st.lists(VALUES, max_size=5),
    change=st.dictionaries(st.sampled_from(["quantity", "price", "side", "tradingAccountId"]), VALUES, max_size=2),
    tag=st.one_of(st.just("*"), st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60)),
)
def test_any_values_in_a_basket_and_in_a_change(client, trader, items, change, tag):
    headers = trader.headers | JSON_TYPE
    basket = json.dumps({"orders": items}).encode("utf-8", "surrogatepass")
    check(client.post("/api/trading/orders/batch", data=basket, headers=headers), sent=basket)
    order_id = client.post("/api/trading/orders", json=ORDER, headers=headers).get_json()["orderId"]
    text = json.dumps(change).encode("utf-8", "surrogatepass")
    check(client.patch(f"/api/trading/orders/{order_id}", data=text, headers=headers | {"If-Match": tag}), sent=text)


@MANY
@given(body=st.dictionaries(st.sampled_from(["exchange", "symbol", "product", "cancelOpenOrders"]), VALUES, max_size=3))
def test_any_values_in_the_closing_of_all(client, trader, body):
    text = json.dumps(body).encode("utf-8", "surrogatepass")
    check(client.post("/api/trading/positions/close", data=text, headers=trader.headers | JSON_TYPE), sent=text)


@MANY
@given(number=NUMBERS)
def test_any_number_as_a_price(client, trader, number):
    body = json.dumps(ORDER).replace('"1.00"', number)
    response = client.post("/api/trading/orders", data=body, headers=trader.headers | JSON_TYPE)
    check(response)
    if response.status_code == 202:  # never through a binary float
        assert response.get_json()["order"]["price"] == f"{trading.money(number):.2f}"


@MANY
@given(data=st.data())
def test_any_values_for_administrators(client, headers_for, account, data):
    admin, trader = headers_for("admin", "feed"), account()
    paths = {
        "admin/accounts": ("POST", ["name", "openingBalance"]),
        f"admin/accounts/{trader.id}": ("PATCH", ["status"]),
        f"admin/accounts/{trader.id}/funds": ("POST", ["kind", "amount"]),
        f"admin/accounts/{trader.id}/tokens": ("POST", ["scopes", "expiresAt"]),
        "market/quotes": ("PUT", ["quotes"]),
    }
    path = data.draw(st.sampled_from(sorted(paths)))
    method, names = paths[path]
    body = {name: data.draw(VALUES) for name in names}
    text = json.dumps(body).encode("utf-8", "surrogatepass")
    check(client.open(f"/api/{path}", method=method, data=text, headers=admin | JSON_TYPE), sent=text)


HEADERS = (
    "Authorization",
    "Idempotency-Key",
    "Prefer",
    "X-Request-Id",
    "Content-Type",
    "Accept",
    "If-None-Match",
    "If-Match",
    "Origin",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "Host",
    "Content-Encoding",
    "Cookie",
    "Last-Event-ID",
)


@MANY
@given(name=st.sampled_from(HEADERS), value=HEADER_TEXT)
def test_any_header(client, trader, name, value):
    for method, path in (
        ("POST", "/api/trading/orders"),
        ("GET", "/api/trading/account"),
        ("GET", "/"),
        ("GET", "/api/trading/orders"),
    ):
        body = {"data": json.dumps(ORDER)} if method == "POST" else {}
        response = client.open(path, method=method, headers=trader.headers | JSON_TYPE | {name: value}, **body)
        if path != "/":
            check(response, range(200, 500))
        assert response.status_code < 500
        assert len(response.headers["X-Request-Id"]) <= 64
        assert "Set-Cookie" not in response.headers


KEYS = st.one_of(
    HEADER_TEXT,
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=260),
    st.text(st.sampled_from('"\\ a'), max_size=12),
    st.text(st.sampled_from('"\\ a'), max_size=8).map(lambda text: f'"{text}"'),
)


@MANY
@given(key=KEYS)
def test_any_idempotency_key(client, trader, key):
    headers = trader.headers | {"Idempotency-Key": key}
    first = client.post("/api/trading/orders", json=ORDER, headers=headers)
    again = client.post("/api/trading/orders", json=ORDER, headers=headers)
    check(first, {202, 422})
    assert again.status_code == first.status_code
    if first.status_code == 202:
        assert again.get_json()["orderId"] == first.get_json()["orderId"]


PREFERENCES = st.one_of(
    HEADER_TEXT,
    st.sampled_from(
        [
            "wait",
            "wait=",
            "wait=0",
            'wait="0"',
            "wait=-1",
            "wait=0;x",
            "respond-async, wait=0",
            "wait=0, wait=0",
            "WAIT = 0",
        ]
    ),
    st.integers(0, 10**300).map(lambda number: f"wait={number}"),
    st.integers(0, 7_000).map(lambda length: "wait=" + "9" * length),
)


@MANY
@given(preference=PREFERENCES)
def test_any_preference(client, trader, monkeypatch, preference):
    monkeypatch.setattr("api.stream.waiting.MAX_WAIT_S", 0)  # however long the preference, nobody waits for it here
    for path, body in (("orders", ORDER), ("orders/batch", {"orders": [ORDER]})):
        check(client.post(f"/api/trading/{path}", json=body, headers=trader.headers | {"Prefer": preference}))


MOMENTS = ("2026-11-22T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "20261122T000000+00")
CURSOR_VALUES = st.one_of(SCALARS, st.sampled_from([*MOMENTS, "00000000-0000-7000-8000-000000000000"]))


def as_cursor(data):
    """Return bytes as a cursor is written."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


CURSORS = st.one_of(
    st.text(max_size=60),
    st.binary(max_size=60).map(as_cursor),
    st.lists(CURSOR_VALUES, max_size=3).map(lambda values: as_cursor(json.dumps(values).encode())),
)


@MANY
@given(cursor=CURSORS)
def test_any_cursor(client, trader, cursor):
    for path in ("trading/orders", "trading/positions", "trading/transactions", "market/stocks"):
        check(client.get(f"/api/{path}", query_string={"cursor": cursor}, headers=trader.headers), {200, 422})


ODD_MOMENTS = st.from_regex(
    r"[0-9]{4}-(0[1-9]|1[012])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?)",
    fullmatch=True,
) | st.datetimes(timezones=st.just(UTC)).map(format_timestamp)
ODD_UUIDS = st.one_of(st.uuids().map(str), st.uuids().map(lambda identifier: identifier.hex))
ODD_NUMBERS = st.one_of(st.integers(-(2**65), 2**65), st.sampled_from([2**31, 2**63 - 1, 2**63, True, 1.5]))
ODD_WORDS = st.one_of(st.text(max_size=40), st.from_regex(r"[A-Z0-9&_.\-%\\' ]{1,300}", fullmatch=True))
SHAPED = {
    "trading/orders": (ODD_MOMENTS, ODD_UUIDS),
    "trading/positions": (ODD_UUIDS,),
    "trading/transactions": (ODD_NUMBERS,),
    "market/stocks": (ODD_WORDS, ODD_WORDS),
}


@pytest.mark.parametrize("path", SHAPED)
@MANY
@given(data=st.data())
def test_any_cursor_of_the_right_shape(client, trader, path, data):
    values = [data.draw(part) for part in SHAPED[path]]
    cursor = as_cursor(json.dumps(values).encode())
    response = client.get(f"/api/{path}", query_string={"cursor": cursor}, headers=trader.headers)
    check(response, {200, 422})
    if response.status_code == 422:
        assert set(response.get_json()["errors"]) == {"cursor"}


@pytest.mark.parametrize(
    "moment", ["2026-11-01T00:00:00+16:00", "2026-11-01T00:00:00+00:00:30.5", "0001-01-01T00:00:00+00:01", "infinity"]
)
def test_a_cursor_with_a_time_that_the_database_does_not_take(client, trader, moment):
    cursor = as_cursor(json.dumps([moment, "00000000-0000-7000-8000-000000000000"]).encode())
    response = client.get("/api/trading/orders", query_string={"cursor": cursor}, headers=trader.headers)
    check(response, {422})
    assert set(response.get_json()["errors"]) == {"cursor"}


PARAMETERS = st.sampled_from(
    [
        "limit",
        "cursor",
        "status",
        "symbol",
        "side",
        "product",
        "from",
        "to",
        "updatedFrom",
        "clientOrderId",
        "open",
        "tradingAccountId",
        "orderId",
        "kind",
        "prefix",
        "exchange",
        "since",
    ]
)


@MANY
@given(query=st.dictionaries(PARAMETERS, st.one_of(st.text(max_size=40), NUMBERS), max_size=3))
def test_any_query(client, trader, query):
    for path in ("trading/orders", "trading/positions", "trading/transactions", "trading/events", "market/stocks"):
        check(client.get(f"/api/{path}", query_string=query, headers=trader.headers), {200, 404, 422})
    check(client.delete("/api/trading/orders", query_string=query, headers=trader.headers), {200, 404, 422})


@MANY
@given(segment=st.text(min_size=1, max_size=60))
def test_any_path(client, trader, segment):
    for path in (
        "trading/orders",
        "trading/orders/by-client-id",
        "trading/positions",
        "market/stocks/NSE",
        "market/stocks",
        "admin/accounts",
        "cron",
        "",
    ):
        response = client.get(f"/api/{path}/{segment}", headers=trader.headers)
        assert response.status_code < 500, response.text


@MANY
@given(last=HEADER_TEXT)
def test_any_last_event_id(client, trader, last):
    response = client.get(
        "/api/trading/events", headers=trader.headers | EVENT_STREAM | {"Last-Event-ID": last}, buffered=False
    )
    assert response.status_code in (200, 422)
    response.close()
