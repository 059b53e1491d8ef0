"""On a host without workers the candles of a request are written after its response."""

import dataclasses

import pytest

from tests.support.trading import one
from trading.market.candle_recording import recorder


@pytest.fixture
def put(app, client, headers_for, monkeypatch):
    """Return a function that sends a quote to a server with these settings; no thread writes candles."""
    monkeypatch.setattr(recorder, "_start", lambda: None)

    def make(**settings):
        changed = dataclasses.replace(app.config["SETTINGS"], **settings)
        monkeypatch.setitem(app.config, "SETTINGS", changed)
        body = {"quotes": [{"exchange": "NSE", "symbol": "INFY", "lastPrice": "1500.00"}]}
        answer = client.put("/api/market/quotes", json=body, headers=headers_for("feed"))
        assert answer.status_code == 204
        answer.close()

    yield make
    recorder._candles.clear()


@pytest.mark.parametrize("dispatch", ["inline", "none"])
def test_candles_are_written_after_the_response(put, dispatch):
    put(record_candles=True, order_dispatch=dispatch)
    assert one("SELECT count(*) FROM candle") == 1


def test_with_workers_a_thread_writes_them_a_moment_later(put):
    put(record_candles=True)
    assert (one("SELECT count(*) FROM candle"), len(recorder._candles)) == (0, 1)


def test_without_the_setting_nothing_is_gathered(put):
    put(order_dispatch="inline")
    assert (one("SELECT count(*) FROM candle"), len(recorder._candles)) == (0, 0)
