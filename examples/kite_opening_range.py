"""Trade the breakout of the opening range with Kite's client: MIS, a stop (SL-M) that follows the price, and an exit.

TRADEPOST_TOKEN=... python examples/kite_opening_range.py RELIANCE INFY     (after pip install kiteconnect)
"""

import logging
import os
import sys
from datetime import date, time, timedelta, timezone
from time import sleep

try:
    from kiteconnect import KiteConnect, KiteTicker
    from kiteconnect.exceptions import InputException, KiteException
    from requests import RequestException
except ModuleNotFoundError:
    sys.exit("the package kiteconnect is missing: pip install kiteconnect")

BASE = os.environ.get("TRADEPOST_URL", "http://127.0.0.1:8000")
TOKEN = os.environ.get("TRADEPOST_TOKEN")
INDIA = timezone(timedelta(hours=5, minutes=30))
RANGE_ENDS, LAST_ENTRY, EXIT = time(9, 30), time(14, 30), time(15, 15)
RISK = 2_000  # rupees between the entry and the stop
TICK = 0.05
OTHER_SIDE = {"BUY": "SELL", "SELL": "BUY"}
FINAL = ("COMPLETE", "REJECTED", "CANCELLED")

log = logging.getLogger("opening range")


class Breakout:
    """A stock's opening range of the day, and the trade that follows it."""

    def __init__(self, symbol):
        self.symbol, self.day = symbol, date.min

    def take(self, at, price):
        """Take a price of the market."""
        if at.date() != self.day:
            self.day, self.high, self.low, self.stop = at.date(), price, price, None
            self.may_enter = at.time() < RANGE_ENDS  # a bot that starts later lets the day pass
        if at.time() < RANGE_ENDS:
            self.high, self.low = max(self.high, price), min(self.low, price)
        elif self.may_enter and at.time() < LAST_ENTRY and not self.low <= price <= self.high:
            self.enter("BUY" if price > self.high else "SELL")
        elif self.stop and at.time() >= EXIT:
            self.leave()
        elif self.stop:
            self.follow(price)
        log.info("%s %s at %.2f", at.time(), self.symbol, price)

    def place(self, side, quantity, **terms):
        """Place an intraday order, and return its id."""
        order_id = kite.place_order(
            kite.VARIETY_REGULAR, kite.EXCHANGE_NSE, self.symbol, side, quantity, kite.PRODUCT_MIS, tag="orb", **terms
        )
        log.info("%s: %s %s %s as %s", self.symbol, side, quantity, terms, order_id)
        return order_id

    def enter(self, side):
        """Trade at the market, and guard the position by a stop at the other end of the range."""
        self.may_enter, self.side = False, side
        quantity = max(1, int(RISK / max(TICK, self.high - self.low)))
        order_id = self.place(side, quantity, order_type=kite.ORDER_TYPE_MARKET, market_protection=2)
        while (order := kite.order_history(order_id)[-1])["status"] not in FINAL:
            sleep(0.1)
        if order["status"] == kite.STATUS_COMPLETE:
            self.trigger = self.low if side == "BUY" else self.high
            self.stop = self.place(
                OTHER_SIDE[side], quantity, order_type=kite.ORDER_TYPE_SLM, trigger_price=self.trigger
            )

    def follow(self, price):
        """Move the stop behind a price that has left it by more than the range and a quarter."""
        sign, width = (1 if self.side == "BUY" else -1), self.high - self.low
        trigger = round(round((price - sign * width) / TICK) * TICK, 2)
        if sign * (trigger - self.trigger) > width / 4:
            try:
                kite.modify_order(kite.VARIETY_REGULAR, self.stop, trigger_price=trigger)
                self.trigger = trigger
                log.info("%s: stop at %.2f", self.symbol, trigger)
            except InputException as refusal:  # the market was faster: an update of the order comes
                log.info("%s: %s", self.symbol, refusal)

    def leave(self):
        """Cancel the stop, and close what is open."""
        try:
            kite.cancel_order(kite.VARIETY_REGULAR, self.stop)
        except InputException as refusal:
            log.info("%s: %s", self.symbol, refusal)
        self.stop = None
        for position in kite.positions()["net"]:
            quantity = position["quantity"]
            if (position["tradingsymbol"], position["product"]) == (self.symbol, kite.PRODUCT_MIS) and quantity:
                side = "SELL" if quantity > 0 else "BUY"
                self.place(side, abs(quantity), order_type=kite.ORDER_TYPE_MARKET, market_protection=2)


def on_connect(ticker, _):
    """Ask for everything about the stocks."""
    ticker.subscribe(list(breakouts))
    ticker.set_mode(ticker.MODE_FULL, list(breakouts))


def on_ticks(ticker, ticks):
    """Give each price to its stock; only ticks of the full mode tell their time."""
    for tick in ticks:
        if tick["mode"] == ticker.MODE_FULL:
            at = tick["exchange_timestamp"].astimezone(INDIA)  # the client reads it in the zone of this machine
            breakouts[tick["instrument_token"]].take(at, tick["last_price"])


def on_order_update(_, order):
    """Forget a stop that has sold, or that the broker has cancelled before its own square-off."""
    log.info("%s: order %s is %s", order["tradingsymbol"], order["order_id"], order["status"])
    for breakout in breakouts.values():
        if breakout.day > date.min and breakout.stop == order["order_id"] and order["status"] in FINAL:
            breakout.stop = None


if len(sys.argv) < 2:
    sys.exit("usage: TRADEPOST_TOKEN=... python examples/kite_opening_range.py SYMBOL...")
if not TOKEN:
    sys.exit("no token: set TRADEPOST_TOKEN")
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
kite = KiteConnect(api_key="any", access_token=TOKEN, root=BASE)
try:
    log.info("trading for %s", kite.profile()["user_id"])
    tokens = {row["tradingsymbol"]: row["instrument_token"] for row in kite.instruments("NSE")}
    breakouts = {tokens[symbol]: Breakout(symbol) for symbol in sys.argv[1:]}
except KeyError as symbol:
    sys.exit(f"NSE has no {symbol}")
except KiteException as error:
    sys.exit(f"{type(error).__name__}: {error}")
except RequestException as error:
    sys.exit(f"no answer from {BASE}: {error}")
stream = KiteTicker("any", TOKEN, root=BASE.replace("http", "ws", 1) + "/kite/ticker")
stream.on_connect, stream.on_ticks, stream.on_order_update = on_connect, on_ticks, on_order_update
stream.connect()
