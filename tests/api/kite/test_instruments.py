"""The list of instruments, as the clients of Kite Connect read it."""

import csv
import gzip
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from api.kite import instruments
from schemas.orders import EXCHANGES
from tests.support.kite import VERSION
from tests.support.processes import wait_until
from trading.market.stocks import import_stocks
from trading.matching.stock_changes import ImportedFacts, set_facts

HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,"
    "segment,exchange"
)
INFY = "408065,1594,INFY,INFOSYS,0,,0,0.10,1,EQ,NSE,NSE"
SBIN = '128028676,500112,SBIN,"STATE BANK, OF INDIA",0,,0,0.05,1,EQ,BSE,BSE'


@pytest.fixture
def stocks(clean: None) -> None:
    """Create two stocks with their real tokens."""
    set_facts(
        [
            ImportedFacts("NSE", "INFY", Decimal("0.10"), 1, name="INFOSYS", instrument_token=408065),
            ImportedFacts("BSE", "SBIN", name="STATE BANK, OF INDIA", instrument_token=128028676),
        ]
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/instruments", [INFY, SBIN]),
        ("/instruments/NSE", [INFY]),
        ("/instruments/nse", [INFY]),
        ("/instruments/BSE", [SBIN]),
        ("/instruments/NFO", []),
        ("/kite/instruments/NSE?exchange=NSE", [INFY]),
    ],
)
def test_the_list_is_read_without_a_token_in_the_form_of_kites(client, stocks, path, expected):
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/csv")
    assert answer.get_data(as_text=True) == "".join(f"{line}\r\n" for line in [HEADER, *expected])


def test_a_bad_token_does_not_matter(client, stocks):
    answer = client.get("/instruments/NSE", headers=VERSION | {"Authorization": "token any:bad"})
    assert answer.status_code == 200


def test_the_list_is_gzipped_for_those_who_take_it(client, stocks):
    plain = client.get("/instruments")
    packed = client.get("/instruments", headers=VERSION | {"Accept-Encoding": "gzip, deflate"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.headers["Content-Type"] == "text/csv"
    assert gzip.decompress(packed.data) == plain.data
    assert "Content-Encoding" not in plain.headers
    assert "Content-Encoding" not in client.get("/instruments", headers={"Accept-Encoding": "gzip;q=0"}).headers
    assert "Accept-Encoding" in plain.headers["Vary"]


def test_every_number_is_there_for_a_stock_of_which_nothing_is_known(client, clean):
    import_stocks([("NSE", "NEW")])
    (row,) = csv.DictReader(client.get("/instruments").get_data(as_text=True).splitlines())
    assert int(row["instrument_token"]) >> 8 == int(row["exchange_token"]) >= 4_000_000
    assert (row["tick_size"], row["lot_size"], row["last_price"], row["strike"]) == ("0.05", "1", "0", "0")
    assert (row["name"], row["expiry"]) == ("", "")


def test_a_long_list_is_read_and_sent_in_portions(client, clean, monkeypatch):
    monkeypatch.setattr(instruments, "PORTION", 3)
    monkeypatch.setattr(instruments, "UNPACKED_AT_ONCE", 100)
    import_stocks([(exchange, f"S{number}") for exchange in ("NSE", "BSE") for number in range(6)])
    found = [line.split(",")[2] for line in client.get("/instruments").get_data(as_text=True).splitlines()[1:]]
    assert found == [f"S{number}" for number in range(6)] * 2


def test_a_list_has_all_that_was_there_when_it_was_asked_for(client, stocks):
    assert client.get("/instruments").data.count(b"\r\n") == 3
    import_stocks([("NSE", "NEW")])
    assert client.get("/instruments").data.count(b"\r\n") == 4


def test_those_who_ask_while_a_list_is_made_share_the_next_one(stocks, monkeypatch):
    asked, made, go_on = [], [], threading.Event()

    def note_time():
        asked.append(usual_time())
        return asked[-1]

    def list_slowly(*arguments, **options):
        made.append(arguments)
        assert go_on.wait(10)
        return usual_list(*arguments, **options)

    usual_time, usual_list = instruments.monotonic, instruments.list_instruments
    monkeypatch.setattr(instruments, "monotonic", note_time)
    monkeypatch.setattr(instruments, "list_instruments", list_slowly)
    lists = instruments.Lists()
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(lists.read, None)
        wait_until(lambda: made)
        others = [pool.submit(lists.read, None) for _ in range(8)]
        wait_until(lambda: len(asked) == 2 + 8)
        go_on.set()
        assert {other.result() for other in others} == {first.result()}
    assert len(made) == 2 * len(EXCHANGES) * 2  # a portion of each exchange, and an empty one


def test_whoever_waits_too_long_is_told_so_in_words_of_kite(client, stocks, monkeypatch):
    monkeypatch.setattr(instruments, "PATIENCE_S", 0.01)
    with instruments.lists["NSE"]._lock:
        answer = client.get("/instruments/NSE", headers=VERSION)
    assert answer.status_code == 503
    assert answer.get_json()["error_type"] == "NetworkException"
