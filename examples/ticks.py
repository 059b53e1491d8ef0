"""Print the live quotes of stocks: TRADEPOST_TOKEN=... python ticks.py NSE:RELIANCE NSE:INFY

It needs the package simple-websocket, which Tradepost has installed for itself.
"""

import json
import os
import sys
import time

import simple_websocket

URL = os.environ.get("TRADEPOST_URL", "http://127.0.0.1:8000").replace("http", "ws", 1) + "/api/trading/stream"
HEADERS, KEYS = {"Authorization": "Bearer " + os.environ["TRADEPOST_TOKEN"]}, sys.argv[1:]


def ticks(keys):
    while True:  # quotes are not replayed: each connection watches again, and begins with the quotes as they are
        try:
            stream = simple_websocket.Client.connect(URL, headers=HEADERS, ping_interval=25)
            stream.send(json.dumps({"action": "watch", "symbols": keys}))
            while True:
                message = json.loads(stream.receive())
                if message["type"] == "quote":
                    yield message["data"]
                elif message["type"] == "problem" or message.get("unknown"):
                    print(message.get("detail") or "unknown: " + ", ".join(message["unknown"]), file=sys.stderr)
        except simple_websocket.ConnectionError as refusal:
            if 400 <= refusal.status_code < 500:
                sys.exit(f"the stream is refused: {refusal}")
        except (OSError, simple_websocket.ConnectionClosed) as error:
            print("reconnecting after:", error, file=sys.stderr)
        time.sleep(1)


for tick in ticks(KEYS):
    change = ""
    if tick["lastPrice"] and tick["previousClose"]:
        change = f"{float(tick['lastPrice']) / float(tick['previousClose']) - 1:+.2%}"
    book = f"{tick['bidPrice'] or '–'} / {tick['askPrice'] or '–'}"
    print(tick["quotedAt"], f"{tick['exchange']}:{tick['symbol']}", tick["lastPrice"], change, book, flush=True)
