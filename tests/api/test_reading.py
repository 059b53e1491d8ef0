"""How requests are read: bodies, queries, decimals, and what is refused before anything else."""

import gzip
import io
import json

import pytest
import structlog

from models.database import DatabaseUnavailable

ORDER = {
    "exchange": "NSE",
    "symbol": "RELIANCE",
    "side": "BUY",
    "quantity": 10,
    "orderType": "LIMIT",
    "price": "100.00",
}


@pytest.fixture
def send(client, account):
    """Return a function that posts bytes as an order of one account."""
    trader = account()

    def post(body, content_type="application/json", **options):
        return client.post(
            "/api/trading/orders", data=body, content_type=content_type, headers=trader.headers, **options
        )

    return post


@pytest.fixture
def send_order(send):
    """Return a function that posts an order with some of its JSON written out by hand."""

    def post(**literals):
        fields = {name: json.dumps(value) for name, value in ORDER.items()} | literals
        return send("{" + ",".join(f'"{name}":{literal}' for name, literal in fields.items()) + "}")

    return post


def assert_problem(response, status, code):
    """Check that an answer is a problem document with this status and code."""
    document = response.get_json()
    assert (response.status_code, document["code"], document["status"]) == (status, code, status)
    assert response.content_type == "application/problem+json"
    assert {"type", "title", "detail", "instance"} <= set(document)
    return document


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a":1} x',
        b'{"a":}',
        b"\xff\xfe{}",
        b'{"symbol":"\xed\xa0\x80"}',
        b"\x00",
        b'{"symbol":"\x00"}',
        b"\xef\xbb\xbf{}",
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b"'single'",
        b"nul",
    ],
)
def test_a_body_that_is_not_json_is_malformed(send, body):
    assert_problem(send(body), 400, "malformed_json")


@pytest.mark.parametrize("digits", [20, 4_300, 4_301, 60_000])
@pytest.mark.parametrize("field", ["quantity", "price"])
def test_a_huge_integer_is_a_validation_error(send, field, digits):
    body = b'{"%s":%s}' % (field.encode(), b"9" * digits)
    assert field in assert_problem(send(body), 422, "validation_failed")["errors"]


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"1", b"1.5", b"null", b"true", b"NaN", b"[{}]"])
def test_json_that_is_not_an_object_is_a_validation_error(send, body):
    assert assert_problem(send(body), 422, "validation_failed")["errors"] == {"body": ["Must be a JSON object."]}


def test_a_repeated_key_is_named(send):
    assert set(assert_problem(send(b'{"side":"BUY","side":"SELL"}'), 422, "validation_failed")["errors"]) == {"side"}


def test_thousands_of_repeated_keys_are_refused_quickly(send):
    body = "{" + ",".join(f'"{number}":1' for number in range(6_000)) + ',"5999":1}'
    assert set(send(body).get_json()["errors"]) == {"5999"}


def test_a_body_of_exactly_64_kib_is_read_and_one_byte_more_is_too_large(send):
    body = json.dumps(ORDER).encode()
    assert send(body + b" " * (64 * 1024 - len(body))).status_code == 202
    refused = assert_problem(send(body + b" " * (64 * 1024 + 1 - len(body))), 413, "payload_too_large")
    assert refused["detail"] == "The body is larger than 64 KiB."


def test_a_chunked_body_that_is_too_large_is_refused_not_truncated(client, account):
    def send(size):
        body = json.dumps(ORDER).encode()
        return client.post(
            "/api/trading/orders",
            input_stream=io.BytesIO(body + b" " * (size - len(body))),
            content_type="application/json",
            headers=trader.headers,
            environ_overrides={"wsgi.input_terminated": True},  # as gunicorn says of a chunked body
        )

    trader = account()
    assert send(64 * 1024).status_code == 202
    assert_problem(send(64 * 1024 + 1), 413, "payload_too_large")
    assert_problem(send(200_000), 413, "payload_too_large")


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml"]
)
def test_a_body_of_another_type_is_unsupported(send, content_type):
    assert_problem(send(json.dumps(ORDER), content_type=content_type), 415, "unsupported_media_type")


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
def test_a_compressed_body_is_unsupported(client, account, encoding):
    headers = account().headers | {"Content-Encoding": encoding, "Content-Type": "application/json"}
    for path in ("/api/trading/orders", "/api/trading/orders/preview"):
        answer = client.post(path, data=gzip.compress(json.dumps(ORDER).encode()), headers=headers)
        assert_problem(answer, 415, "unsupported_media_type")
        assert answer.headers["Accept-Encoding"] == "identity"
    assert client.post(path, json=ORDER, headers=headers | {"Content-Encoding": "Identity"}).status_code == 200


def test_a_charset_in_the_content_type_is_accepted(send):
    assert send(json.dumps(ORDER), content_type="application/json; charset=utf-8").status_code == 202


@pytest.mark.parametrize("literal", ['"100.10"', "100.10", "100.1", '"100.1"'])
def test_a_price_is_read_exactly_from_a_string_or_a_number(send_order, literal):
    assert send_order(price=literal).get_json()["order"]["price"] == "100.10"


def test_a_price_never_goes_through_a_binary_float(send_order):
    assert send_order(price="9999999.99", quantity="1").get_json()["code"] == "insufficient_margin"
    assert send_order(price="10000000.000000000000001").status_code == 422
    assert send_order(price="1.005").get_json()["errors"] == {"price": ["Must have at most 2 decimals."]}


@pytest.mark.parametrize(
    "literal",
    [
        *("1e2", "1E2", "100.0e0", "1e400", "-1e400", "NaN", "Infinity", "-Infinity", "0", "0.00", "-1", "-0.01"),
        *('"1e2"', '"NaN"', '"Infinity"', '" 1"', '"1 "', '"+1"', '"1."', '".5"', '"1,000"', '"1_000"', '""', '"0x1"'),
        *(
            '"\\u0661"',
            '"01.00"',
            '"1.000"',
            "1.000",
            '"100\\u0000"',
            "true",
            "[]",
            "{}",
            "10000000.01",
            '"10000000.01"',
        ),
        "9" * 4_000,
        "1." + "0" * 4_000,
        '"' + "9" * 60_000 + '"',
    ],
)
def test_an_invalid_price_is_named(send_order, literal):
    assert set(assert_problem(send_order(price=literal), 422, "validation_failed")["errors"]) == {"price"}


@pytest.mark.parametrize(
    "literal", ["true", '"10"', "10.0", "1e1", "0", "-1", "1000001", "null", "[10]", "NaN", "1" * 4_000]
)
def test_a_quantity_is_a_json_integer_within_its_limits(send_order, literal):
    assert set(assert_problem(send_order(quantity=literal), 422, "validation_failed")["errors"]) == {"quantity"}


@pytest.mark.parametrize(
    "literal",
    ['"A\\u0000"', '"\\ud800"', '""', '"A B"', '"' + "A" * 33 + '"', "1", "1.5", "null", '"RELİANCE"', '"ſ"', '"A\\n"'],
)
def test_an_invalid_symbol_is_named(send_order, literal):
    assert set(assert_problem(send_order(symbol=literal), 422, "validation_failed")["errors"]) == {"symbol"}


@pytest.mark.parametrize(
    "literal", ['"a\\u0000"', '"\\ud83d"', '"é"', '""', '"' + "x" * 65 + '"', "7", "7.5", '"a\\tb"']
)
def test_an_invalid_client_order_id_is_named(send_order, literal):
    document = assert_problem(send_order(clientOrderId=literal), 422, "validation_failed")
    assert set(document["errors"]) == {"clientOrderId"}


@pytest.mark.parametrize(
    ("field", "literal"),
    [
        ("exchange", '"nse"'),
        ("exchange", '"NASDAQ"'),
        ("exchange", "[]"),
        ("side", '"buy"'),
        ("side", "1.5"),
        ("orderType", '"STOP"'),
        ("product", '"NRML"'),
        ("product", "{}"),
        ("tradingAccountId", '"7"'),
        ("tradingAccountId", '"{01a204eb-88a0-72a2-b773-773d0f84d6b4}"'),
        ("tradingAccountId", "1"),
        ("surprise", "1"),
        ("order_type", '"LIMIT"'),
        ("", "1"),
        ("_schema", "1"),
    ],
)
def test_an_invalid_or_unknown_field_is_named(send_order, field, literal):
    errors = assert_problem(send_order(**{field: literal}), 422, "validation_failed")["errors"]
    assert list(errors) == [field if field != "_schema" else "body"]


@pytest.mark.parametrize("field", ["exchange", "symbol", "side", "quantity"])
def test_a_missing_required_field_is_named(send, field):
    order = {name: value for name, value in ORDER.items() if name != field}
    assert set(send(json.dumps(order)).get_json()["errors"]) == {field}


def test_all_invalid_fields_are_named_at_once(send_order):
    errors = send_order(side='"X"', quantity="0", surprise="1").get_json()["errors"]
    assert set(errors) == {"side", "quantity", "surprise"}


def test_an_unknown_key_that_is_not_valid_utf8_is_named_safely(send):
    assert_problem(send(b'{"\\ud800":1}'), 422, "validation_failed")


def test_a_query_parameter_beside_a_body_is_unknown(client, account):
    response = client.post("/api/trading/orders?x=1", json=ORDER, headers=account().headers)
    assert assert_problem(response, 422, "validation_failed")["errors"] == {"x": ["Unknown parameter."]}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("x=1", "x"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=", "limit"),
        ("limit=1.0", "limit"),
        ("limit=-1", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=" + "1" * 30, "limit"),
        ("limit=1&limit=2", "limit"),
        ("status=pending", "status"),
        ("symbol=%00", "symbol"),
        ("symbol=%FF", "symbol"),
        ("side=", "side"),
        ("product=X", "product"),
        ("from=yesterday", "from"),
        ("from=2026-01-01", "from"),
        ("from=2026-01-01T00:00:00", "from"),
        ("from=2026-13-01T00:00:00Z", "from"),
        ("to=0001-01-01T00:00:00%2B05:30", "to"),
        ("to=20260101T000000Z", "to"),
        ("to=2026-11-01T00:00:00%2B24:00", "to"),
        ("tradingAccountId=7", "tradingAccountId"),
    ],
)
def test_an_invalid_query_parameter_is_named(client, account, query, field):
    response = client.get(f"/api/trading/orders?{query}", headers=account().headers)
    assert set(assert_problem(response, 422, "validation_failed")["errors"]) == {field}


@pytest.mark.parametrize("name", ["from", "to"])
def test_an_unescaped_plus_in_a_timestamp_is_explained(client, account, name):
    response = client.get(f"/api/trading/orders?{name}=2026-11-01T00:00:00+05:30", headers=account().headers)
    errors = assert_problem(response, 422, "validation_failed")["errors"]
    assert set(errors) == {name}
    assert "%2B" in errors[name][0]
    escaped = client.get(f"/api/trading/orders?{name}=2026-11-01T00:00:00%2B05:30", headers=account().headers)
    assert escaped.status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "ODD"])
@pytest.mark.parametrize(
    "path",
    [
        "",  # as an absolute target without a path has it
        "/nothing",
        "/api/nothing",
        "/api/trading/orders/",
        "/api/trading/orders/a/b",
        "/api/trading//orders",
        "/api//trading/orders",
        "/api/trading/orders//history",
        "/api/market/stocks//TCS",
        "/api/trading/stream/",
        "/health//live",
        "/docs/",
        "/ops//",
        "/API/trading/orders",
        "/api/./trading/orders",
        "/api/trading/../market/stocks",
        "/\0",
        "/\xff",
    ],
)
def test_an_unknown_path_is_a_problem_document_and_never_a_redirect(client, path, method):
    response = client.open("/", method=method, environ_overrides={"PATH_INFO": path})
    assert (response.status_code, response.content_type) == (404, "application/problem+json")
    assert "Location" not in response.headers
    if method != "HEAD":
        assert_problem(response, 404, "not_found")


def test_a_missing_file_is_a_problem_document(client):
    assert_problem(client.get("/static/x"), 404, "not_found")
    assert_problem(client.get("/static/a//b"), 404, "not_found")


def test_an_unsupported_method_is_a_problem_document_with_allow(client):
    response = client.patch("/api/trading/orders")
    assert_problem(response, 405, "method_not_allowed")
    assert {"GET", "POST"} <= {method.strip() for method in response.headers["Allow"].split(",")}


@pytest.mark.parametrize("given", ["a", "Az0._-", "x" * 64])
def test_a_valid_request_id_is_kept(client, given):
    assert client.get("/health/live", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", [None, "", "x" * 65, "a b", "é", "a/b", "a;b"])
def test_an_invalid_request_id_is_replaced(client, given):
    headers = {} if given is None else {"X-Request-Id": given}
    answered = client.get("/nothing", headers=headers).headers["X-Request-Id"]
    assert answered != given
    assert answered.isalnum()


def test_every_response_has_the_security_headers(client):
    for path in ("/health/live", "/nothing", "/api/trading/orders"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"


def test_an_internal_error_reveals_no_detail(client, account, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("a secret of the implementation")

    monkeypatch.setattr("api.orders.place_order", fail)
    with structlog.testing.capture_logs() as lines:
        response = client.post("/api/trading/orders", json=ORDER, headers=account().headers)
    assert_problem(response, 500, "internal_error")
    assert "secret" not in response.get_data(as_text=True)
    assert "a secret of the implementation" in repr(lines)  # the log has it, with its traceback


def test_without_its_database_a_request_is_a_503_with_retry_after(client, account, monkeypatch):
    def fail(*_, **__):
        raise DatabaseUnavailable("no route to 10.0.0.7")

    monkeypatch.setattr("api.orders.place_order", fail)
    response = client.post("/api/trading/orders", json=ORDER, headers=account().headers)
    assert_problem(response, 503, "service_unavailable")
    assert response.headers["Retry-After"] == "1"
    assert "10.0.0.7" not in response.get_data(as_text=True)


def test_the_description_of_the_api_is_served(client):
    document = client.get("/openapi.json").get_json()
    assert document["openapi"].startswith("3.1")
    assert document["paths"]["/api/trading/orders/{order_id}"]["get"]["parameters"]
