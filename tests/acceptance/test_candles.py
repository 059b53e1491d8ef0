"""Candles of real web processes: two of them write the same minute, within seconds, and lose nothing at their end."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from tests.support.kite import kite_headers
from tests.support.processes import ProcessStarter, Running, wait_until
from tests.support.trading import one, rows

SPAN = timedelta(minutes=5)
SUMMED = """
SELECT min(low_price)::integer AS low, max(high_price)::integer AS high,
    sum(volume_to - volume_from)::integer AS volume, max(last_number) AS number FROM candle
"""


def summed() -> tuple[int, ...]:
    """Return the lowest and the highest price of all candles, their volume, and the number of the last quote."""
    return tuple(rows(SUMMED)[0].values())


def put(web: Running, feeder: dict[str, str], price: int) -> None:
    """Send a quote of a price in a connection of its own, so that any of the processes takes it."""
    quote = {"exchange": "NSE", "symbol": "INFY", "lastPrice": f"{price}.00", "bidPrice": "1.00", "volume": price}
    url = f"{web.base_url}/api/market/quotes"
    assert requests.put(url, json={"quotes": [quote]}, headers=feeder, timeout=10).status_code == 200


def test_two_processes_make_one_candle_of_a_minute_and_write_it_before_they_end(
    start: ProcessStarter, account: Callable[..., Any], headers_for: Callable[..., dict[str, str]]
) -> None:
    web, feeder, trader = start.web(RECORD_CANDLES="on", WEB_CONCURRENCY="2"), headers_for("feed"), account()
    for price in range(101, 131):
        put(web, feeder, price)
    wait_until(lambda: summed() == (101, 130, 130, 30), timeout_s=10, what="both have written the running minute")
    assert one("SELECT count(*) FROM candle") <= 2  # a new minute may have begun

    now = datetime.now(UTC)
    token = one("SELECT instrument_token FROM stock")
    span = {"from": (now - SPAN).isoformat(), "to": (now + SPAN).isoformat()}
    url = f"{web.base_url}/instruments/historical/{token}/minute"
    candles = requests.get(url, params=span, headers=kite_headers(trader.token), timeout=10).json()["data"]["candles"]
    assert (candles[0][1], candles[-1][4], sum(candle[5] for candle in candles)) == (101, 130, 130)

    put(web, feeder, 131)
    assert web.terminate() == 0
    assert summed() == (101, 131, 131, 31)
