"""Print the live quotes of stocks.

TRADEPOST_TOKEN=... .venv/bin/python examples/ticks.py NSE:RELIANCE NSE:INFY
"""

import logging
import sys

try:
    from tradepost_client import Client, LiveQuote, TradepostError, Watching
except ModuleNotFoundError:
    sys.exit("the package tradepost-client is missing: run `make run`, and this file with .venv/bin/python")


def show(tick):
    """Print a quote."""
    is_known = tick.last_price and tick.previous_close
    change = f"{tick.last_price / tick.previous_close - 1:+.2%}" if is_known else ""
    book = f"{tick.bid_price or '–'} / {tick.ask_price or '–'}"
    print(tick.quoted_at, tick.key, tick.last_price, change, book, flush=True)


if len(sys.argv) < 2:
    sys.exit("usage: TRADEPOST_TOKEN=... .venv/bin/python examples/ticks.py EXCHANGE:SYMBOL ...")
logging.basicConfig(format="%(message)s")  # the client says when it reconnects
try:
    with Client() as client, client.stream(symbols=sys.argv[1:]) as stream:
        for message in stream:
            if isinstance(message, LiveQuote):
                show(message)
            elif isinstance(message, Watching) and message.unknown:
                print("unknown:", ", ".join(message.unknown), file=sys.stderr)
                if not message.symbols:  # nothing to wait for
                    sys.exit(1)
except TradepostError as error:
    sys.exit(str(error))
except KeyboardInterrupt:
    pass
