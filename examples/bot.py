"""Buy one share, listen until it is filled, close the position: TRADEPOST_TOKEN=... python bot.py NSE RELIANCE"""

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

URL = os.environ.get("TRADEPOST_URL", "http://127.0.0.1:8000") + "/api/trading"
HEADERS = {"Authorization": "Bearer " + os.environ["TRADEPOST_TOKEN"], "Content-Type": "application/json"}
os.environ["no_proxy"] = os.environ.get("no_proxy", os.environ.get("NO_PROXY", "")) + ",127.0.0.1,localhost,[::1]"


def call(method, path, body=None, **headers):
    headers |= HEADERS | {"Idempotency-Key": str(uuid.uuid4())}
    request = urllib.request.Request(URL + path, body and json.dumps(body).encode(), headers, method=method)
    while True:  # an order without a response is sent again with the same key, so it is not placed twice
        try:
            answer = urllib.request.urlopen(request, timeout=60)
            return answer if "Accept" in headers else json.load(answer)
        except urllib.error.HTTPError as problem:
            time.sleep(1) if problem.code >= 500 else sys.exit(problem.read().decode())
        except (OSError, http.client.HTTPException):
            time.sleep(1)


def listen(last=""):
    while True:  # each connection continues where the last one ended
        try:
            for line in call("GET", "/events", **{"Accept": "text/event-stream", "Last-Event-ID": last}):
                if line.startswith(b"data: "):
                    event = json.loads(line[6:])
                    last = str(event.get("id", (event["type"] == "ready" and last) or event.get("lastEventId")))
                    yield event
        except (OSError, http.client.HTTPException):
            time.sleep(1)


def fill(path, body=None):
    order = call("POST", path, body)["order"]
    while order["status"] in ("PENDING", "OPEN"):  # OPEN: it waits for the market
        event = next(events)
        if event["type"] == "reset":  # events are missing: read the order instead
            order = call("GET", "/orders/" + order["orderId"])
        elif event.get("data", {}).get("orderId") == order["orderId"]:
            order = event["data"]
    print("order." + order["status"].lower(), order["side"], order["symbol"], "at", order["averagePrice"])
    return order["positionId"] or sys.exit(order["rejectionReason"] or "it was not filled")


events = listen()
next(events)  # "ready": from here on no event is missed
position_id = fill("/orders", {"exchange": sys.argv[1], "symbol": sys.argv[2], "side": "BUY", "quantity": 1})
fill(f"/positions/{position_id}/close")
