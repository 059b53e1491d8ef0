"""Place orders through the official Python client of Kite Connect and through the first door, by turns.

It runs by itself, with the packages of the client and none of this project's. Arguments: the address, the token, the
number of turns and the orders of a turn. Output: a JSON object with the milliseconds of each order by door.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import requests
from kiteconnect import KiteConnect

SYMBOL, QUANTITY, PRICE, PRICE_STEPS = "BENCH1", 1, 1000, 4_000
WARM_UP = 20


def main(address: str, token: str, turns: int, orders: int) -> None:
    """Place the orders, and print how long each took."""
    kite = KiteConnect(api_key="any", access_token=token, root=address)
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {token}"

    def by_kite(price: float) -> None:
        kite.place_order(
            kite.VARIETY_REGULAR, kite.EXCHANGE_NSE, SYMBOL, kite.TRANSACTION_TYPE_BUY, QUANTITY, kite.PRODUCT_MIS,
            kite.ORDER_TYPE_LIMIT, price=price, validity=kite.VALIDITY_DAY,
        )  # fmt: skip

    def by_first_door(price: float) -> None:
        order = {
            "exchange": "NSE", "symbol": SYMBOL, "side": "BUY", "quantity": QUANTITY, "orderType": "LIMIT",
            "price": f"{price:.2f}", "product": "INTRADAY",
        }  # fmt: skip
        answer = session.post(f"{address}/api/trading/orders", json=order, timeout=7)
        assert answer.status_code == 202, answer.text
        answer.json()

    doors: dict[str, Callable[[float], None]] = {"kite": by_kite, "first door": by_first_door}
    took_ms: dict[str, list[float]] = {name: [] for name in doors}
    for place in doors.values():
        _timed(place, WARM_UP)
    for turn in range(turns):
        for name in doors if turn % 2 else reversed(doors):
            took_ms[name] += _timed(doors[name], orders)
    json.dump(took_ms, sys.stdout)


def _timed(place: Callable[[float], Any], orders: int) -> list[float]:
    """Return the milliseconds of each order; consecutive orders have different prices."""
    found = []
    for number in range(orders):
        price = PRICE + (number % PRICE_STEPS) * 0.05
        began = time.perf_counter()
        place(round(price, 2))
        found.append((time.perf_counter() - began) * 1000)
    return found


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
