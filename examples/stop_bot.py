"""Rest a limit under the market, then guard the bought shares by a stop that follows the price, until it sells.

TRADEPOST_TOKEN=... .venv/bin/python examples/stop_bot.py NSE RELIANCE

It needs the package simple-websocket, which Tradepost has installed for itself.
"""

import functools
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from decimal import Decimal

import simple_websocket

BASE = os.environ.get("TRADEPOST_URL", "http://127.0.0.1:8000")
TOKEN = os.environ["TRADEPOST_TOKEN"]
HEADERS = {"Authorization": "Bearer " + TOKEN, "Content-Type": "application/json", "If-Match": "*"}  # any version
os.environ["no_proxy"] = os.environ.get("no_proxy", os.environ.get("NO_PROXY", "")) + ",127.0.0.1,localhost,[::1]"
STREAM = BASE.replace("http", "ws", 1) + "/api/trading/stream"
reader = functools.partial(threading.Thread, daemon=True)
DISTANCE = Decimal("0.002")  # of the limit below the market, and of the stop below the highest price
TICK = Decimal("0.05")
TOO_LATE = ("order_not_open", "trigger_on_wrong_side", "precondition_failed")  # the market was faster: its event comes


def call(method, path, body=None):
    headers = HEADERS | {"Idempotency-Key": str(uuid.uuid4())}
    request = urllib.request.Request(BASE + path, body and json.dumps(body).encode(), headers, method=method)
    while True:  # an order without a response is sent again with the same key, so it is not placed twice
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return json.load(error)
        except (OSError, ValueError):
            pass
        time.sleep(1)


def listen(symbols, since=None):
    while True:  # each connection continues where the last one ended, and watches anew
        try:
            socket = simple_websocket.Client.connect(STREAM, ping_interval=25, thread_class=reader)
            socket.send(json.dumps({"action": "auth", "token": TOKEN, "since": since}))
            socket.send(json.dumps({"action": "watch", "symbols": symbols}))
            while True:
                message = json.loads(socket.receive())
                if message["type"] != "ready" or since is None:
                    since = message.get("id", message.get("lastEventId", since))
                yield message
        except simple_websocket.ConnectionClosed as closed:
            if closed.reason == 4401:
                sys.exit("the token is unknown, expired or revoked")
        except (simple_websocket.ConnectionError, OSError):
            pass
        time.sleep(1)


def below(price):
    return str(Decimal(price) * (1 - DISTANCE) // TICK * TICK)


def order_of(answer):
    """Return the order, or None if the market was faster than the request: an event tells of it."""
    if "code" in answer and answer["code"] not in TOO_LATE:
        sys.exit(answer["detail"])
    return None if "code" in answer else answer.get("order", answer)


def place(**terms):
    body = {"exchange": exchange, "symbol": symbol, "quantity": 1, **terms}
    return order_of(call("POST", "/api/trading/orders", body))


def follow(order, name, price):
    """Raise the price or the trigger of an order that waits, behind a market that has risen."""
    if order["status"] == "EXECUTED" or Decimal(below(price)) <= Decimal(order[name]):
        return order
    return order_of(call("PATCH", "/api/trading/orders/" + order["orderId"], {name: below(price)})) or order


def guard(bought):
    """Place the stop under the bought shares; sell at once if the market is below it already."""
    print("bought at", bought["averagePrice"], flush=True)
    stop = place(side="SELL", orderType="STOP_MARKET", triggerPrice=below(bought["averagePrice"]))
    return stop or order_of(call("POST", f"/api/trading/positions/{bought['positionId']}/close"))


exchange, symbol = sys.argv[1:]
entry = stop = None
for message in listen([f"{exchange}:{symbol}"]):
    data = message.get("data", {})
    if message["type"] == "reset":  # events are missing: read the orders instead
        entry, stop = (order and call("GET", "/api/trading/orders/" + order["orderId"]) for order in (entry, stop))
    elif message["type"] == "quote" and (price := data["bidPrice"] or data["lastPrice"]):
        print("bid", price, flush=True)
        if entry is None:
            entry = place(side="BUY", orderType="LIMIT", price=below(price))
        elif stop is None:
            entry = follow(entry, "price", price)
        else:
            stop = follow(stop, "triggerPrice", price)
    elif entry and data.get("orderId") == entry["orderId"]:
        entry = data
    elif stop and data.get("orderId") == stop["orderId"]:
        stop = data
    for order in filter(None, (entry, stop)):
        if order["status"] in ("REJECTED", "CANCELLED", "EXPIRED"):
            sys.exit(f"the order to {order['side']} is {order['status']}")
    if entry and stop is None and entry["status"] == "EXECUTED":
        stop = guard(entry)
    if stop and stop["status"] == "EXECUTED":
        print("sold at", stop["averagePrice"])
        break
