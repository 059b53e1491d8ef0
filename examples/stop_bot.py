"""Rest a limit under the market, then guard the bought shares by a stop that follows the price, until it sells.

TRADEPOST_TOKEN=... .venv/bin/python examples/stop_bot.py NSE RELIANCE
"""

import sys
from decimal import Decimal

try:
    from tradepost_client import Client, LiveQuote, OrderEvent, Reset, TradepostError, Watching
    from tradepost_client.problems import OrderNotOpen, PreconditionFailed, TriggerOnWrongSide
except ModuleNotFoundError:
    sys.exit("the package tradepost-client is missing: run `make run`, and this file with .venv/bin/python")

DISTANCE = Decimal("0.002")  # of the limit below the market, and of the stop below the highest price
TICK = Decimal("0.05")
TOO_LATE = (OrderNotOpen, TriggerOnWrongSide, PreconditionFailed)  # the market was faster: its event comes


def below(price):
    """Return the price of a limit or a stop under a price of the market."""
    return price * (1 - DISTANCE) // TICK * TICK


def place(**terms):
    """Place an order for one share."""
    return client.place_order(exchange=exchange, symbol=symbol, quantity=1, **terms).order


def follow(order, name, price):
    """Raise the price or the trigger of an order that waits, behind a market that has risen."""
    if order.is_final or below(price) <= getattr(order, name):
        return order
    try:
        return client.modify_order(order.order_id, **{name: below(price)})
    except TOO_LATE:
        return order


def guard(bought):
    """Place the stop under the bought shares; sell at once if the market is below it already."""
    print("bought at", bought.average_price, flush=True)
    try:
        return place(side="SELL", order_type="STOP_MARKET", trigger_price=below(bought.average_price))
    except TOO_LATE:
        return client.close_position(bought.position_id).order


def newer(order, message):
    """Return an order as a message leaves it."""
    if order and isinstance(message, Reset):  # events are missing: read the order instead
        return client.order(order.order_id)
    is_of_order = order and isinstance(message, OrderEvent) and message.order.order_id == order.order_id
    return message.order if is_of_order else order


def trade(stream):
    """Buy below the market, and follow it with the stop until the stop sells."""
    entry = stop = None
    for message in stream:
        entry, stop = newer(entry, message), newer(stop, message)
        if isinstance(message, LiveQuote) and (price := message.bid_price or message.last_price):
            print("bid", price, flush=True)
            if entry is None:
                entry = place(side="BUY", order_type="LIMIT", price=below(price))
            elif stop is None:
                entry = follow(entry, "price", price)
            else:
                stop = follow(stop, "trigger_price", price)
        elif isinstance(message, Watching) and message.unknown:
            sys.exit("unknown: " + ", ".join(message.unknown))
        for order in filter(None, (entry, stop)):
            if order.is_final and order.status != "EXECUTED":
                sys.exit(f"the order to {order.side} is {order.status}")
        if entry and stop is None and entry.status == "EXECUTED":
            stop = guard(entry)
        if stop and stop.status == "EXECUTED":
            print("sold at", stop.average_price)
            break


if len(sys.argv) != 3:
    sys.exit("usage: TRADEPOST_TOKEN=... .venv/bin/python examples/stop_bot.py EXCHANGE SYMBOL")
exchange, symbol = sys.argv[1:]
try:
    with Client() as client, client.stream(symbols=[f"{exchange}:{symbol}"]) as stream:
        trade(stream)
except TradepostError as error:
    sys.exit(str(error))
except KeyboardInterrupt:
    pass
