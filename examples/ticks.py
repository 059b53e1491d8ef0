"""Print the live quotes of stocks: pip install websockets; TRADEPOST_TOKEN=... python ticks.py NSE:RELIANCE NSE:INFY"""

import json
import os
import sys
import time

from websockets import exceptions
from websockets.sync.client import connect

URL = os.environ.get("TRADEPOST_URL", "http://127.0.0.1:8000").replace("http", "ws", 1) + "/api/trading/stream"
TOKEN, KEYS = os.environ["TRADEPOST_TOKEN"], sys.argv[1:]
PROXY = None if "//127." in URL or "//localhost" in URL or "//[::1]" in URL else True


def ticks(keys):
    while True:  # quotes are not replayed: each connection watches again, and begins with the quotes as they are
        try:
            with connect(URL, additional_headers={"Authorization": f"Bearer {TOKEN}"}, proxy=PROXY) as stream:
                stream.send(json.dumps({"action": "watch", "symbols": keys}))
                for text in stream:
                    message = json.loads(text)
                    if message["type"] == "quote":
                        yield message["data"]
                    elif message["type"] == "problem" or message.get("unknown"):
                        print(message.get("detail") or "unknown: " + ", ".join(message["unknown"]), file=sys.stderr)
        except exceptions.InvalidStatus as refusal:
            if 400 <= refusal.response.status_code < 500:
                sys.exit(refusal.response.body.decode())
        except (OSError, exceptions.WebSocketException) as error:
            print("reconnecting after:", error, file=sys.stderr)
        time.sleep(1)


for tick in ticks(KEYS):
    change = ""
    if tick["lastPrice"] and tick["previousClose"]:
        change = f"{float(tick['lastPrice']) / float(tick['previousClose']) - 1:+.2%}"
    book = f"{tick['bidPrice'] or '–'} / {tick['askPrice'] or '–'}"
    print(tick["quotedAt"], f"{tick['exchange']}:{tick['symbol']}", tick["lastPrice"], change, book, flush=True)
