"""Buy one share with Zerodha's own client, guard it by a stop, and sell it when its price has risen or time is up.

TRADEPOST_TOKEN=... python examples/kite_bot.py NSE RELIANCE      (in an environment with `pip install kiteconnect`)
"""

import contextlib
import math
import os
import queue
import sys
import time

try:
    from kiteconnect import KiteConnect, KiteTicker
    from kiteconnect.exceptions import InputException, KiteException
    from requests import RequestException
except ModuleNotFoundError:
    sys.exit("the package kiteconnect is missing: pip install kiteconnect")

BASE = os.environ.get("TRADEPOST_URL", "http://127.0.0.1:8000")
TOKEN = os.environ.get("TRADEPOST_TOKEN")
STOP, TARGET = 0.995, 1.002  # times the price of the purchase
PATIENCE_S = 20
TICK = 0.05
FINAL = ("COMPLETE", "CANCELLED", "REJECTED")


def place(side, order_type, **prices):
    """Place an order for one share, and return its id."""
    terms = {"exchange": exchange, "tradingsymbol": symbol, "quantity": 1, "product": kite.PRODUCT_MIS}
    return kite.place_order(kite.VARIETY_REGULAR, transaction_type=side, order_type=order_type, **terms, **prices)


def final(order_id, *, target=math.inf, patience_s=math.inf):
    """Return an order when it is final, or None when the price has reached the target or the time is up before."""
    deadline = time.monotonic() + patience_s
    while (left_s := deadline - time.monotonic()) > 0:
        with contextlib.suppress(queue.Empty):
            kind, told = events.get(timeout=min(left_s, PATIENCE_S))
            if kind == "price" and told >= target:
                break
            if kind == "order" and told["order_id"] == order_id and told["status"] in FINAL:
                print(told["transaction_type"], told["status"], f"{told['average_price']:g}", flush=True)
                return told
    return None


def fill(side):
    """Place a MARKET order, and return its average price when it is filled."""
    order = final(place(side, kite.ORDER_TYPE_MARKET))
    return order["average_price"] or sys.exit(order["status_message"] or "it was not filled")


def trade():
    """Buy, guard, and sell."""
    price = fill("BUY")
    stop_id = place("SELL", kite.ORDER_TYPE_SLM, trigger_price=round(round(price * STOP / TICK) * TICK, 2))
    if final(stop_id, target=price * TARGET, patience_s=PATIENCE_S) is None:
        try:
            kite.cancel_order(kite.VARIETY_REGULAR, stop_id)
            fill("SELL")
        except InputException:  # the stop was faster
            final(stop_id)
    ours = [position["pnl"] for position in kite.positions()["day"] if position["tradingsymbol"] == symbol]
    print("profit today", f"{sum(ours):g}")


if len(sys.argv) != 3:
    sys.exit("usage: TRADEPOST_TOKEN=... python examples/kite_bot.py EXCHANGE SYMBOL")
if not TOKEN:
    sys.exit("no token: set TRADEPOST_TOKEN")
exchange, symbol = sys.argv[1:]
events = queue.Queue()
kite = KiteConnect(api_key="any", access_token=TOKEN, root=BASE)
ticker = KiteTicker("any", TOKEN, root=BASE.replace("http", "ws", 1) + "/kite/ticker")
ticker.on_ticks = lambda _, ticks: [events.put(("price", tick["last_price"])) for tick in ticks]
ticker.on_order_update = lambda _, order: events.put(("order", order))
try:
    quoted = kite.ltp(f"{exchange}:{symbol}") or sys.exit(f"no price of {exchange}:{symbol} is known")
    ((_, stock),) = quoted.items()
    ticker.on_connect = lambda *_: ticker.subscribe([stock["instrument_token"]]) and events.put(("connect", None))
    ticker.connect(threaded=True)
    events.get()  # from here on no update is missed
    trade()
except KiteException as error:
    sys.exit(f"{type(error).__name__}: {error}")
except RequestException as error:
    sys.exit(f"no answer from {BASE}: {error}")
