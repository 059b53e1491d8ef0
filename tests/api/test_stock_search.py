"""Stocks found by a part of their symbol or name, and stocks listed by their keys."""

from decimal import Decimal
from uuid import UUID

import pytest

from tests.support.deactivation import deactivate_stocks
from tests.support.trading import run
from trading.market.stocks import import_stocks
from trading.matching.stock_changes import ImportedFacts, set_facts

STOCKS = {
    ("NSE", "TATAMOTORS"): "Tata Motors",
    ("BSE", "TATAMOTORS"): "Tata Motors",
    ("NSE", "TCS"): "Tata Consultancy Services",
    ("NSE", "TATA"): "Zenith Holdings",
    ("NSE", "MOTATA"): "Alpha",
    ("NSE", "M&M"): "Mahindra & Mahindra",
    ("NSE", "A_B"): "100% Pure\\Gold",
    ("NSE", "AXB"): "Ärger",
    ("NSE", "OTHER"): "Betatata",
    ("NSE", "NONAME"): None,
}


@pytest.fixture
def get(client, account):
    """Return a function that gets a path below /api/market with a query."""
    trader = account()
    return lambda path, **query: client.get(f"/api/market/{path}", query_string=query, headers=trader.headers)


@pytest.fixture
def stocks(clean):
    """Create the stocks with their names."""
    import_stocks(STOCKS)
    set_facts([ImportedFacts(*pair, name=name) for pair, name in STOCKS.items()])


@pytest.fixture
def found(get, stocks):
    """Return a function that gives the keys of the stocks that a query lists."""

    def find(**query):
        answer = get("stocks", **query)
        assert answer.status_code == 200, answer.text
        return [f"{stock['exchange']}:{stock['symbol']}" for stock in answer.get_json()["data"]]

    return find


def test_the_best_stocks_come_first(found):
    assert found(search="tata") == [
        "NSE:TATA",  # the symbol itself
        "BSE:TATAMOTORS",  # it begins the symbol
        "NSE:TATAMOTORS",
        "NSE:TCS",  # it begins a word of the name
        "NSE:MOTATA",  # any other part
        "NSE:OTHER",
    ]


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("tata mo", ["BSE:TATAMOTORS", "NSE:TATAMOTORS"]),
        ("  TaTa   mO ", ["BSE:TATAMOTORS", "NSE:TATAMOTORS"]),
        ("consult", ["NSE:TCS"]),
        ("onsult", ["NSE:TCS"]),
        ("& m", ["NSE:M&M"]),
        ("m&", ["NSE:M&M"]),
        ("a_b", ["NSE:A_B"]),
        ("0%", ["NSE:A_B"]),
        ("pure\\g", ["NSE:A_B"]),
        ("ÄRGER", ["NSE:AXB"]),
        ("nonam", ["NSE:NONAME"]),
        ("z", ["NSE:TATA"]),
        ("cs", ["NSE:TCS"]),
        ("e", ["NSE:A_B", "NSE:AXB", "NSE:NONAME", "NSE:OTHER", "NSE:TATA", "NSE:TCS"]),
        ("nothing of this", []),
        ("zz", []),
    ],
)
def test_any_part_of_a_symbol_or_a_name_finds_a_stock(found, text, symbols):
    assert sorted(found(search=text)) == sorted(symbols)


def test_a_search_has_a_limit_an_exchange_and_no_next_page(found, get):
    assert found(search="tata", limit=2) == ["NSE:TATA", "BSE:TATAMOTORS"]
    assert found(search="tata", exchange="BSE") == ["BSE:TATAMOTORS"]
    assert get("stocks", search="tata", limit=2).get_json()["nextCursor"] is None


def test_a_new_name_is_found_and_the_old_one_is_not(found):
    set_facts([ImportedFacts("NSE", "OTHER", name="Gamma Rays")])
    assert found(search="betata") == []
    assert found(search="a ray") == ["NSE:OTHER"]
    set_facts([ImportedFacts("NSE", "OTHER", tick_size=Decimal("0.05"))])
    assert found(search="gamma") == ["NSE:OTHER"]


def test_an_inactive_stock_is_found_again_once_it_is_active(found, get):
    deactivate_stocks([UUID(get("stocks/NSE/OTHER").get_json()["stockId"])])
    assert found(search="betatata") == []
    assert found(symbols="NSE:OTHER") == []
    import_stocks([("NSE", "OTHER")])
    assert found(search="betatata") == ["NSE:OTHER"]


def test_an_inactive_stock_takes_no_place_in_the_list(found, get):
    deactivate_stocks([UUID(get("stocks/NSE/TATA").get_json()["stockId"])])
    assert found(search="tata", limit=1) == ["BSE:TATAMOTORS"]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"search": ""}, {"search"}),
        ({"search": "   "}, {"search"}),
        ({"search": "x" * 65}, {"search"}),
        ({"search": "a\x00"}, {"search"}),
        ({"search": "tata", "prefix": "T"}, {"prefix"}),
        ({"search": "tata", "cursor": "WyJBIl0"}, {"cursor"}),
        ({"symbols": "NSE:TCS", "limit": "5"}, {"limit"}),
        ({"symbols": "NSE:TCS", "search": "a", "exchange": "NSE"}, {"search", "exchange"}),
        ({"symbols": ""}, {"symbols"}),
        ({"symbols": "TCS"}, {"symbols"}),
        ({"symbols": "NSE:TCS,"}, {"symbols"}),
        ({"symbols": "NSE:TCS, NSE:INFY"}, {"symbols"}),
        ({"symbols": "XSE:TCS"}, {"symbols"}),
        ({"symbols": "NSE:T S"}, {"symbols"}),
        ({"symbols": ",".join(f"NSE:S{number}" for number in range(201))}, {"symbols"}),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(get, query, fields):
    answer = get("stocks", **query)
    assert (answer.status_code, set(answer.get_json()["errors"])) == (422, fields)


def test_stocks_are_listed_by_their_keys_in_the_order_of_the_query(found):
    assert found(symbols="NSE:TCS,BSE:TATAMOTORS,NSE:UNKNOWN,nse:tata,NSE:TCS") == [
        "NSE:TCS",
        "BSE:TATAMOTORS",
        "NSE:TATA",
    ]
    assert found(symbols="NSE:UNKNOWN") == []


def test_two_hundred_stocks_are_listed_at_once(found):
    keys = [f"NSE:S{number:03}" for number in range(200)]
    import_stocks(tuple(key.split(":")) for key in keys)
    assert found(symbols=",".join(keys)) == keys


def test_a_stock_shows_its_name_and_the_volume_of_the_day_of_its_quote(client, headers_for, get, stocks):
    def put(**members):
        quotes = [{"exchange": "NSE", "symbol": "TCS", "lastPrice": "4000.00", **members}]
        assert client.put("/api/market/quotes", json={"quotes": quotes}, headers=headers_for("feed")).status_code == 200

    put(volume=1_000, quotedAt="2026-11-24T05:00:00Z")
    stock = get("stocks/NSE/TCS").get_json()
    assert (stock["name"], stock["volume"]) == ("Tata Consultancy Services", None)  # too old to be usable
    put(volume=1_000)
    assert get("stocks/NSE/TCS").get_json()["volume"] == 1_000
    put(bidPrice="3999.95")
    assert get("stocks", symbols="NSE:TCS").get_json()["data"][0]["volume"] == 1_000
    run("UPDATE stock SET volume_day = volume_day - 1")  # today's quotes have brought no volume yet
    assert get("stocks", search="tcs").get_json()["data"][0]["volume"] is None
