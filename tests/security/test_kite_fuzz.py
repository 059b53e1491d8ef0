"""Whatever stands in a path, a query, a form or a list at Kite's door: its envelope, never a 5xx, and sound books."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.security.kite_routes import FORMS, LISTS, QUERIES, routes_of
from tests.security.test_fuzz import HEADER_TEXT, MANY, NUMBERS, VALUES
from tests.support.kite import VERSION, kite_headers
from trading.upkeep import verify

NAMES = [
    *{name for form in (*FORMS.values(), *LISTS.values(), *QUERIES.values()) for name in form},
    *("trigger_price", "validity_ttl", "disclosed_quantity", "tag", "autoslice", "market_protection", "iceberg_legs"),
    *(
        "parent_order_id",
        "order_id",
        "variety",
        "mode",
        "consider_positions",
        "continuous",
        "oi",
        "interval",
        "segment",
    ),
    *("request_token", "refresh_token", "api_key", "checksum", "condition", "orders", "type"),
]
WORDS = [
    *("NSE", "BSE", "NFO", "RELIANCE", "NSE:RELIANCE", "NSE:", ":", "408065", "BUY", "SELL", "CNC", "MIS", "NRML"),
    *("MARKET", "LIMIT", "SL", "SL-M", "DAY", "IOC", "TTL", "regular", "amo", "co", "minute", "day", "equity", "True"),
    *("undefined", "null", "", "0", "-1", "1.0", "1e3", "1e400", "-1e52095163", "NaN", "Infinity", "-0", "1_000"),
    *("0x10", "١٢", " 1 "),
    *(
        "2026-01-01",
        "2026-01-01 09:15:00",
        "2026-01-01T09:15:00+0530",
        "0001-01-01",
        "9999-12-31 23:59:59",
        "2026-02-30",
    ),
    *("\x00", "\ud800", "%00", "../..", "a/b", "'; DROP TABLE account; --", "²", "9" * 30, "x" * 5_000),
]
TEXTS = st.one_of(st.sampled_from(WORDS), st.text(max_size=30), NUMBERS)
PAIRS = st.lists(st.tuples(st.one_of(st.sampled_from(NAMES), st.text(max_size=9)), TEXTS), max_size=6)
INTERNALS = ("Traceback", "psycopg2", "marshmallow", "SELECT ", ".py", "Decimal", "werkzeug")


def encoded(pairs):
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)


def _quoted(text):
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def check(answer, sent=""):
    """Fail for a 5xx, for another form than Kite's, and for a text that shows internals."""
    assert answer.status_code in range(200, 500), (answer.status_code, answer.text)
    if answer.status_code == 200 and answer.content_type == "text/csv":
        return
    assert answer.headers["Content-Type"] == "application/json", answer.headers
    body = json.loads(answer.get_data())
    if answer.status_code == 200:
        assert (body["status"], set(body)) == ("success", {"status", "data"})
        return
    assert (body["status"], set(body)) == ("error", {"status", "message", "data", "error_type"})
    assert not any(word in body["message"] for word in INTERNALS if word not in sent), body


@pytest.fixture
def trader(account, quote_two):
    yield account()
    assert verify.verify() == []


@pytest.fixture
def quote_two(quote):
    quote()


@MANY
@given(data=st.data(), query=PAIRS, form=PAIRS, changes=PAIRS)
def test_any_values_at_any_route(app, client, trader, data, query, form, changes):
    route = data.draw(st.sampled_from(routes_of(app)))
    known = FORMS.get(str(route), {}) | QUERIES.get(str(route), {})
    drawn = {name: data.draw(TEXTS) for name in route.parameters if data.draw(st.booleans())}
    path = route.path(**{name: value.encode("utf-8", "replace").decode() for name, value in drawn.items()})
    text = encoded([*known.items(), *form]) if data.draw(st.booleans()) else encoded([*form, *known.items(), *changes])
    headers = kite_headers(trader.token) | {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.open(
        path, method=route.method, query_string=encoded([*QUERIES.get(str(route), {}).items(), *query]),
        data=text if route.method in ("POST", "PUT") else None, headers=headers,
    )  # fmt: skip
    check(answer, sent=f"{path} {text!r} {query} {form} {changes}")


@settings(MANY, max_examples=60)
@given(
    changes=st.dictionaries(st.one_of(st.sampled_from(NAMES), st.text(max_size=9)), TEXTS, max_size=4),
    variety=st.sampled_from(["regular", "amo", "co", "iceberg", "auction"]),
)
def test_any_values_in_an_order_and_in_a_change(client, trader, changes, variety):
    headers = kite_headers(trader.token) | {"Content-Type": "application/x-www-form-urlencoded"}
    good = FORMS["POST /kite/orders/<variety>"]
    text = encoded((good | changes).items())
    check(client.post(f"/kite/orders/{variety}", data=text, headers=headers), sent=str(changes))
    placed = client.post("/kite/orders/regular", data=encoded(good.items()), headers=headers).get_json()["data"]
    order_id = placed["order_id"]
    path = f"/kite/orders/{variety}/{order_id}"
    check(client.put(path, data=encoded(changes.items()), headers=headers), sent=str(changes))
    check(client.delete(f"/kite/orders/regular/{order_id}", headers=headers))
    check(client.get(f"/kite/orders/{order_id}", headers=headers))


@MANY
@given(
    bodies=st.lists(st.one_of(VALUES, st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=5)), max_size=4),
    raw=st.one_of(st.none(), st.binary(max_size=100)),
    mode=TEXTS,
)
def test_any_values_in_a_list_of_orders(client, trader, bodies, raw, mode):
    headers = kite_headers(trader.token) | {"Content-Type": "application/json"}
    for route, good in LISTS.items():
        path = route.partition(" ")[2]
        filled = [good | body if isinstance(body, dict) else body for body in bodies]
        text = json.dumps(filled).encode("utf-8", "surrogatepass") if raw is None else raw
        query = encoded([("mode", mode), ("consider_positions", mode)])
        check(client.post(path, data=text, query_string=query, headers=headers), sent=f"{text!r} {mode}")


@MANY
@given(path=st.text(st.characters(codec="utf-8"), max_size=60), header=HEADER_TEXT)
def test_any_path_and_any_token(client, clean, path, header):
    answer = client.get(
        f"/kite/{quote(path)}", headers=VERSION | {"Authorization": f"token {header}".encode("latin-1")}
    )
    if answer.status_code == 200:  # the lists of instruments
        assert answer.content_type == "text/csv"
    else:
        check(answer, sent=path + header)
