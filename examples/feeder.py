"""Send quotes to Tradepost, from lines of exchange,symbol,lastPrice[,bidPrice,askPrice] in a file or on standard input.

TRADEPOST_TOKEN=<scope feed> python feeder.py quotes.csv, or: source | TRADEPOST_TOKEN=... python feeder.py
"""

import csv
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request

URL = os.environ.get("TRADEPOST_URL", "http://127.0.0.1:8000") + "/api/market/quotes"
HEADERS = {"Authorization": "Bearer " + os.environ["TRADEPOST_TOKEN"], "Content-Type": "application/json"}
if URL.startswith(("http://127.", "http://localhost", "http://[::1]")):  # ignore the shell's proxy for this machine
    urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))
BATCH, PAUSE_S = 1_000, 0.5  # the service accepts 1,000 quotes a request
PRICES = ("lastPrice", "bidPrice", "askPrice")
latest = {}  # quotes to send: a newer quote of a stock replaces the older one


def read(lines):
    for row in csv.reader(lines):
        if len(row) in (3, 5) and row[0] != "exchange":
            latest[row[0], row[1]] = {name: price for name, price in zip(PRICES, row[2:], strict=False) if price}


def put(quotes):
    body = {"quotes": [{"exchange": key[0], "symbol": key[1], **prices} for key, prices in quotes]}
    request = urllib.request.Request(URL, json.dumps(body).encode(), HEADERS, method="PUT")
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except urllib.error.HTTPError as problem:
        if problem.code in (401, 403):
            sys.exit(problem.read().decode())
        if problem.code != 422:
            raise
        if len(quotes) == 1:  # this quote is invalid: report it and skip it
            return print(quotes, problem.read().decode(), file=sys.stderr)
        put(quotes[: len(quotes) // 2])
        put(quotes[len(quotes) // 2 :])


reader = threading.Thread(target=read, args=[open(sys.argv[1], newline="") if sys.argv[1:] else sys.stdin], daemon=True)
reader.start()
while reader.is_alive() or latest:
    quotes = [(key, latest.pop(key)) for key in list(latest)[:BATCH]]
    try:
        if quotes:
            put(quotes)
    except OSError as error:  # the service is unreachable: keep the newest quotes and try again
        print("trying again after:", error, file=sys.stderr)
        latest.update({key: prices for key, prices in quotes if key not in latest})
    if len(quotes) < BATCH:
        time.sleep(PAUSE_S)
