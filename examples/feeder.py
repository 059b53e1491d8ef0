"""Send quotes to Tradepost, from lines of exchange,symbol,lastPrice[,bidPrice,askPrice] in a file or on standard input.

TRADEPOST_TOKEN=<scope feed> .venv/bin/python examples/feeder.py quotes.csv, or: source | ... examples/feeder.py
"""

import csv
import sys
import threading
import time

try:
    from tradepost_client import Client, NoAnswer, TradepostError, UnexpectedAnswer
    from tradepost_client.problems import InternalError, ServiceUnavailable, ValidationFailed
except ModuleNotFoundError:
    sys.exit("the package tradepost-client is missing: run `make run`, and this file with .venv/bin/python")

BATCH, PAUSE_S = 1_000, 0.5  # the service accepts 1,000 quotes a request
PRICES = ("last_price", "bid_price", "ask_price")
latest = {}  # quotes to send: a newer quote of a stock replaces the older one


def read(lines):
    """Read lines until they end."""
    for row in csv.reader(lines):
        if len(row) in (3, 5) and row[0] != "exchange":
            latest[row[0], row[1]] = {name: price for name, price in zip(PRICES, row[2:], strict=False) if price}


def put(quotes):
    """Send quotes, and return their number; report and skip those that are not valid."""
    try:
        client.put_quotes([{"exchange": key[0], "symbol": key[1], **prices} for key, prices in quotes])
    except ValidationFailed as refusal:
        if len(quotes) == 1:
            print(quotes, refusal, file=sys.stderr)
            return 0
        return put(quotes[: len(quotes) // 2]) + put(quotes[len(quotes) // 2 :])
    return len(quotes)


def feed():
    """Send the newest quotes until there are no more lines; keep them while the service is away."""
    sent = 0
    reader = threading.Thread(target=read, args=[source], daemon=True)
    reader.start()
    while reader.is_alive() or latest:
        quotes = [(key, latest.pop(key)) for key in list(latest)[:BATCH]]
        try:
            sent += put(quotes) if quotes else 0
        except (NoAnswer, UnexpectedAnswer, InternalError, ServiceUnavailable) as error:
            print("trying again after:", error, file=sys.stderr)
            latest.update({key: prices for key, prices in quotes if key not in latest})
        if len(quotes) < BATCH:
            time.sleep(PAUSE_S)
    print(f"sent {sent} quote{'' if sent == 1 else 's'}")


if len(sys.argv) > 2:
    sys.exit("usage: TRADEPOST_TOKEN=... .venv/bin/python examples/feeder.py [FILE]")
try:
    with open(sys.argv[1], newline="") if sys.argv[1:] else sys.stdin as source, Client(patience_s=1) as client:
        client.clock()  # ends here if the address or the token is wrong
        feed()
except (TradepostError, OSError) as error:
    sys.exit(str(error))
except KeyboardInterrupt:
    pass
