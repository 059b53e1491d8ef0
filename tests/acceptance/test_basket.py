"""A web process is killed in the middle of a basket; the retry places the rest, and nothing twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from models import buckets
from tests.acceptance.conftest import ORDER
from tests.support import citus
from tests.support.processes import ProcessStarter, Running, wait_until
from tests.support.trading import one, rows
from trading.execution.sweeping import sweep_once
from trading.upkeep.verify import verify

BASKET = {"orders": [ORDER | {"quantity": 1, "symbol": f"S{number}"} for number in range(6)]}


@pytest.fixture
def send(account: Callable[..., Any]) -> Callable[[Running], Any]:
    """Return a function that sends the basket to a web process, always with the same key."""
    headers = account().headers | {"Idempotency-Key": "one"}

    def make(web: Running) -> Any:
        try:
            url = f"{web.base_url}/api/trading/orders/batch"
            return requests.post(url, json=BASKET, headers=headers, timeout=20).json()
        except requests.ConnectionError as error:
            return error

    return make


def test_a_basket_whose_web_process_is_killed_midway_is_placed_once_by_a_retry(
    start: ProcessStarter, send: Callable[[Running], Any], connect: Callable[[], Any], quote: Callable[..., None]
) -> None:
    for number in range(3):  # on Citus an order of any unknown stock would wait
        quote(f"S{number}")
    web, holder = start.web(), connect()
    holder.cursor().execute(  # who wants the fourth order's stock waits for this
        "INSERT INTO stock (id, exchange, symbol, instrument_token)"
        " VALUES (gen_random_uuid(), 'NSE', 'S3', synthetic_token('NSE'))"
    )
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(send, web)
        wait_until(lambda: one(f"SELECT count(*) FROM {citus.LOCKS} WHERE NOT granted"), what="the fourth order waits")
        web.kill()
        holder.rollback()
        assert isinstance(first.result(), requests.ConnectionError)
    placed = [row["id"] for row in rows("SELECT id::text FROM trading_order ORDER BY placed_at, id")]
    assert len(placed) in (3, 4)  # of a process that is killed while the database is at work, that work is done

    results = send(again := start.web())["results"]
    assert [result["status"] for result in results] == [202] * 6
    assert [result["orderId"] for result in results][: len(placed)] == placed
    assert one("SELECT count(*) FROM trading_order") == 6
    assert send(again)["results"] == results
    assert sum(buckets.in_each(lambda: sweep_once(limit=50).executed)) == 6
    assert one("SELECT array_agg(DISTINCT quantity) FROM position") == [1]
    assert verify() == []
