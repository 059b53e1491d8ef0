"""Buy one share, listen until it is filled, close the position.

TRADEPOST_TOKEN=... .venv/bin/python examples/bot.py NSE RELIANCE
"""

import sys

try:
    from tradepost_client import Client, OrderEvent, Reset, TradepostError
except ModuleNotFoundError:
    sys.exit("the package tradepost-client is missing: run `make run`, and this file with .venv/bin/python")


def fill(order):
    """Listen until an order is final, and return it if it was filled."""
    while not order.is_final:  # OPEN: it waits for the market
        match stream.receive():
            case OrderEvent(order=changed) if changed.order_id == order.order_id:
                order = changed
            case Reset():  # events are missing: read the order instead
                order = client.order(order.order_id)
    print(f"order.{order.status.lower()}", order.side, order.symbol, "at", order.average_price)
    return order if order.position_id else sys.exit(order.rejection_reason or "it was not filled")


if len(sys.argv) != 3:
    sys.exit("usage: TRADEPOST_TOKEN=... .venv/bin/python examples/bot.py EXCHANGE SYMBOL")
try:
    with Client() as client, client.stream() as stream:  # from here on no event is missed
        terms = {"exchange": sys.argv[1], "symbol": sys.argv[2], "side": "BUY", "quantity": 1}
        bought = fill(client.place_order(**terms).order)
        fill(client.close_position(bought.position_id).order)
except TradepostError as error:
    sys.exit(str(error))
