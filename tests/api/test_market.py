"""Stocks and quotes."""

import io
import json

import pytest

from models.database import execute, session


@pytest.fixture
def get(client, account):
    """Return a function that gets a path below /api/market."""
    trader = account()
    return lambda path: client.get(f"/api/market/{path}", headers=trader.headers)


@pytest.fixture
def put(client, headers_for):
    """Return a function that puts quotes."""
    feed = headers_for("feed")
    return lambda *quotes: client.put("/api/market/quotes", json={"quotes": list(quotes)}, headers=feed)


def price(symbol, last_price="10.00", exchange="NSE"):
    """Return a quote."""
    return {"exchange": exchange, "symbol": symbol, "lastPrice": last_price}


# The values of a stock of which only the last price is known.
UNKNOWN = ("bidPrice", "askPrice", "bidQuantity", "askQuantity", "open", "high", "low", "previousClose", "closePrice")
UNKNOWN += ("name", "volume", "lowerCircuit", "upperCircuit", "tickSize", "lotSize", "isin", "series")


def test_quotes_create_stocks_and_set_their_prices(get, put):
    response = put(price("tcs", "3500.50"), price("INFY", 1500))
    assert (response.status_code, response.data, response.content_type) == (204, b"", None)
    stock = get("stocks/NSE/tcs").get_json()
    assert stock == {
        "stockId": stock["stockId"],
        "exchange": "NSE",
        "symbol": "TCS",
        "lastPrice": "3500.50",
        "lastPriceAt": stock["lastPriceAt"],
        **dict.fromkeys(UNKNOWN),
        "quotedAt": stock["lastPriceAt"],
        "quoteNumber": 1,
        "halted": False,
        "intradayAllowed": True,
        "sessionClass": "NORMAL",
        "instrumentToken": stock["instrumentToken"],
    }
    assert get("stocks/NSE/INFY").get_json()["lastPrice"] == "1500.00"
    put(price("TCS", "3501.00"), price("TCS", "3502.00"))
    assert get("stocks/NSE/TCS").get_json()["lastPrice"] == "3502.00"


@pytest.mark.parametrize(
    ("quote", "field"),
    [
        (price("TCS", "0"), "quotes.1.lastPrice"),
        (price("TCS", "1.001"), "quotes.1.lastPrice"),
        (price("TCS", "10000000.01"), "quotes.1.lastPrice"),
        (price("T S"), "quotes.1.symbol"),
        (price("TCS", exchange="X"), "quotes.1.exchange"),
        ({"exchange": "NSE", "symbol": "TCS"}, "quotes.1.lastPrice"),
        (price("TCS") | {"turnover": 1}, "quotes.1.turnover"),
        ("TCS", "quotes.1"),
        (None, "quotes.1"),
    ],
)
def test_a_bad_quote_is_named_and_none_is_set(get, put, quote, field):
    response = put(price("FIRST"), quote)
    assert response.status_code == 422
    assert set(response.get_json()["errors"]) == {field}
    assert get("stocks/NSE/FIRST").status_code == 404


@pytest.mark.parametrize("body", [{}, {"quotes": []}, {"quotes": {}}, {"quotes": None}, {"quotes": "x"}])
def test_quotes_without_a_quote_are_refused(client, headers_for, body):
    response = client.put("/api/market/quotes", json=body, headers=headers_for("feed"))
    assert set(response.get_json()["errors"]) == {"quotes"}


@pytest.fixture
def put_bytes(client, headers_for):
    """Return a function that puts bytes as quotes, with their length or in chunks."""
    headers = headers_for("feed") | {"Content-Type": "application/json"}

    def send(body, *, chunked=False):
        if not chunked:
            return client.put("/api/market/quotes", data=body, headers=headers)
        wsgi = {"wsgi.input_terminated": True}  # as gunicorn says of a chunked body
        return client.put("/api/market/quotes", input_stream=io.BytesIO(body), headers=headers, environ_overrides=wsgi)

    return send


@pytest.mark.parametrize("indent", [None, 4])
def test_a_thousand_quotes_fit_at_their_largest_size(put_bytes, indent):
    def many(number):
        quotes = [price(f"{'S' * 28}{index:04}", "10000000.00") for index in range(number)]
        return json.dumps({"quotes": quotes}, indent=indent).encode()

    assert len(many(1_000)) > 64 * 1024
    assert put_bytes(many(1_000)).status_code == 204
    assert set(put_bytes(many(1_001)).get_json()["errors"]) == {"quotes"}


@pytest.mark.parametrize("chunked", [False, True])
def test_quotes_of_exactly_512_kib_are_read_and_one_byte_more_is_too_large(put_bytes, chunked):
    body = json.dumps({"quotes": [price("TCS")]}).encode()
    assert put_bytes(body.ljust(512 * 1024), chunked=chunked).status_code == 204
    refused = put_bytes(body.ljust(512 * 1024 + 1), chunked=chunked)
    assert (refused.status_code, refused.get_json()["code"]) == (413, "payload_too_large")
    assert refused.get_json()["detail"] == "The body is larger than 512 KiB."


def test_too_many_quotes_are_refused_without_reading_each(put_bytes):
    # One by one they would take 5 s, in which the process answers nobody.
    answer = put_bytes(json.dumps({"quotes": [{}] * 120_000}).encode())
    assert answer.get_json()["errors"] == {"quotes": ["Must have 1 to 1000 items."]}


def test_a_thousand_bad_quotes_get_a_bounded_response(put):
    response = put(*[{"exchange": "X", "symbol": "", "lastPrice": 0}] * 1_000)
    assert response.status_code == 422
    assert len(response.data) < 20_000


def test_stocks_are_listed_by_the_prefix_of_their_symbol(get, put):
    put(price("REL_A"), price("RELXA"), price("TCS"), price("REL_A", exchange="BSE"), price("M&M"))

    def found(query):
        return [(stock["symbol"], stock["exchange"]) for stock in get(f"stocks?{query}").get_json()["data"]]

    assert found("") == [("M&M", "NSE"), ("RELXA", "NSE"), ("REL_A", "BSE"), ("REL_A", "NSE"), ("TCS", "NSE")]
    assert found("prefix=rel_") == [("REL_A", "BSE"), ("REL_A", "NSE")]
    assert found("prefix=REL&exchange=NSE") == [("RELXA", "NSE"), ("REL_A", "NSE")]
    assert found("prefix=M%26") == [("M&M", "NSE")]
    assert found("prefix=Z") == []
    assert get("stocks?prefix=%25").status_code == 422


def test_stocks_are_listed_page_by_page(get, put):
    put(*[price(f"S{number}", exchange=exchange) for number in range(3) for exchange in ("NSE", "BSE")])
    every = get("stocks").get_json()["data"]
    seen, cursor = [], ""
    while cursor is not None:
        page = get(f"stocks?limit=2{cursor and '&cursor=' + cursor}").get_json()
        seen, cursor = seen + page["data"], page["nextCursor"]
    assert seen == every
    assert len(seen) == 6


def test_a_deactivated_stock_is_hidden_until_its_next_quote(get, put):
    put(price("OLD"))
    with session():
        execute("UPDATE stock SET is_active = false WHERE symbol = 'OLD'")
    assert get("stocks/NSE/OLD").status_code == 404
    assert get("stocks?prefix=OLD").get_json()["data"] == []
    put(price("OLD"))
    assert get("stocks/NSE/OLD").status_code == 200


@pytest.mark.parametrize("path", ["NSE/NONE", "BSE/TCS", "X/TCS", "NSE/%00", "NSE/T%20S", "nse/TCS", "NSE/" + "A" * 33])
def test_an_unknown_stock_is_not_found(get, put, path):
    put(price("TCS"))
    problem = get(f"stocks/{path}").get_json()
    assert (problem["code"], problem["detail"]) == ("not_found", "The resource does not exist.")


def test_a_stock_without_a_quote_has_no_price(get, account, place):
    place(account(), symbol="FRESH")
    stock = get("stocks/NSE/FRESH").get_json()
    assert (stock["lastPrice"], stock["lastPriceAt"]) == (None, None)


def book(symbol="TCS", bid="99.95", ask="100.05", last="100.00", **more):
    """Return a quote with a book."""
    return {"exchange": "NSE", "symbol": symbol, "bidPrice": bid, "askPrice": ask, "lastPrice": last} | more


def test_a_quote_with_a_book_is_answered_with_what_became_of_it(get, put):
    response = put(book(), book("INFY", bid="101.00"), price("WIPRO"))
    assert response.status_code == 200
    assert response.get_json() == {
        "accepted": 3,
        "matched": 0,
        "notMatched": [{"exchange": "NSE", "symbol": "INFY", "outcome": "crossed_book"}],
    }
    stock = get("stocks/NSE/TCS").get_json()
    assert (stock["bidPrice"], stock["askPrice"], stock["quoteNumber"]) == ("99.95", "100.05", 1)


def test_every_field_of_a_quote_is_shown_by_its_stock(get, put):
    fields = {"open": "98.00", "high": "101.00", "low": "97.00", "previousClose": "97.50", "closePrice": "99.00"}
    fields |= {"lowerCircuit": "80.00", "upperCircuit": "120.00", "bidQuantity": 5, "askQuantity": 6, "halted": True}
    moment = "2026-11-23T04:15:23.734972Z"
    assert put(book(**fields, quotedAt=moment, lastTradedAt=moment, volume=10)).status_code == 200
    stock = get("stocks/NSE/TCS").get_json()
    assert {name: stock[name] for name in fields} == fields
    assert stock["quotedAt"] == moment


@pytest.mark.parametrize("none", [0, "0", "0.00", None])
def test_a_side_of_0_is_no_side(get, put, none):
    put(book())
    assert put(book(bid=none, bidQuantity=None)).status_code == 200
    stock = get("stocks/NSE/TCS").get_json()
    assert (stock["bidPrice"], stock["askPrice"]) == (None, "100.05")


def test_a_last_price_is_needed_unless_both_sides_are_there(put):
    assert put(book(last="100.00")).status_code == 200
    assert put(book(last=None)).get_json()["accepted"] == 1
    for quote in (book(last=None, bid=0), book(last=None, ask=None), price("TCS", None)):
        assert set(put(quote).get_json()["errors"]) == {"quotes.0.lastPrice"}
    fresh = put(book("FRESH", last=None)).get_json()
    assert [refused["outcome"] for refused in fresh["notMatched"]] == ["no_last_price"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bidPrice", "-1"),
        ("askPrice", "1.001"),
        ("bidQuantity", -1),
        ("askQuantity", "5"),
        ("volume", 1.5),
        ("volume", True),
        ("halted", 1),
        ("halted", "true"),
        ("quotedAt", "yesterday"),
        ("lastTradedAt", 1700000000),
        ("high", 0),
        ("upperCircuit", "10000000.01"),
        ("unknown", 1),
    ],
)
def test_a_field_that_is_not_valid_is_named(put, field, value):
    assert set(put(book(**{field: value})).get_json()["errors"]) == {f"quotes.0.{field}"}


def test_more_than_ten_quotes_of_one_stock_are_refused(get, put):
    assert put(*[book(volume=number) for number in range(1, 11)]).get_json()["accepted"] == 10
    refused = put(*[book("INFY", volume=number) for number in range(1, 12)])
    assert (refused.status_code, set(refused.get_json()["errors"])) == (422, {"quotes"})
    assert get("stocks/NSE/INFY").status_code == 404
    assert put(*[price("OLD", str(number)) for number in range(1, 13)]).status_code == 204
    assert get("stocks/NSE/OLD").get_json()["lastPrice"] == "12.00"


def test_the_largest_quotes_fit_in_a_body(put_bytes):
    moment = "2026-11-23T04:15:23.734972+05:30"
    prices = ("lastPrice", "bidPrice", "askPrice", "open", "high", "low", "previousClose", "closePrice")
    largest = dict.fromkeys((*prices, "lowerCircuit", "upperCircuit"), "10000000.00")
    largest |= dict.fromkeys(("lastTradedAt", "quotedAt"), moment)
    largest |= dict.fromkeys(("volume", "bidQuantity", "askQuantity"), 10**12) | {"halted": False}
    quotes = [{"exchange": "NSE", "symbol": f"{'S' * 28}{n:04}"} | largest for n in range(1_000)]
    body = json.dumps({"quotes": quotes}, separators=(",", ":")).encode()
    answer = put_bytes(body).get_json()
    assert answer["accepted"] == 1_000


def test_a_database_that_is_busy_for_long_is_a_503_and_the_stored_quotes_stay(get, put, connect):
    put(price("AAA"), price("BBB"))
    other = connect()
    other.cursor().execute("SELECT FROM stock WHERE symbol = 'BBB' FOR UPDATE")
    response = put(book("BBB"))
    assert (response.status_code, response.get_json()["code"]) == (503, "service_unavailable")
    assert response.headers["Retry-After"] == "1"
    other.rollback()
    assert put(book("BBB")).status_code == 200
