"""Buy a basket of shares for delivery (CNC) with Kite's client, by limits, and rest a limit to sell each with a profit.

TRADEPOST_TOKEN=... python examples/kite_basket.py TCS:10 SBIN:25               (after pip install kiteconnect)
"""

import logging
import os
import sys
from datetime import time, timedelta
from time import sleep

try:
    from kiteconnect import KiteConnect
    from kiteconnect.exceptions import InputException, KiteException
    from requests import RequestException
except ModuleNotFoundError:
    sys.exit("the package kiteconnect is missing: pip install kiteconnect")

BASE = os.environ.get("TRADEPOST_URL", "http://127.0.0.1:8000")
TOKEN = os.environ.get("TRADEPOST_TOKEN")
BEGINS, ENDS = time(9, 20), time(15, 29)
PATIENCE = timedelta(minutes=15)  # at the bid; then the limit goes to the ask
PROFIT = 0.01
PAUSE_S = float(os.environ.get("PAUSE_S", "1"))

log = logging.getLogger("basket")


class Share:
    """A share of the basket: first an order to buy, then one to sell."""

    def __init__(self, symbol, quantity):
        self.symbol, self.quantity = symbol, quantity
        self.entry = self.exit = self.since = None

    @property
    def key(self):
        """Return the name of the instrument."""
        return f"{kite.EXCHANGE_NSE}:{self.symbol}"

    def terms(self, side, price):
        """Return the terms of an order."""
        return {
            "variety": kite.VARIETY_REGULAR,
            "exchange": kite.EXCHANGE_NSE,
            "tradingsymbol": self.symbol,
            "transaction_type": side,
            "quantity": self.quantity,
            "product": kite.PRODUCT_CNC,
            "order_type": kite.ORDER_TYPE_LIMIT,
            "price": price,
        }

    def act(self, quote, orders):
        """Do what is next; return True if anything was done."""
        bid, ask = (quote["depth"][side][0]["price"] for side in ("buy", "sell"))
        if self.entry is None:
            self.entry, self.since = self.place("BUY", bid), quote["timestamp"]
        elif (bought := orders[self.entry])["status"] == "OPEN" and quote["timestamp"] >= self.since + PATIENCE:
            self.since = quote["timestamp"]
            return self.move_to(ask)
        elif bought["status"] == "COMPLETE" and self.exit is None:
            tick = ticks[self.symbol]
            self.exit = self.place("SELL", round(round(bought["average_price"] * (1 + PROFIT) / tick) * tick, 2))
        else:
            return False
        return True

    def place(self, side, price):
        """Place an order, and return its id."""
        order_id = kite.place_order(**self.terms(side, price), validity=kite.VALIDITY_DAY, tag="basket")
        log.info("%s %s %s at %.2f as %s", side, self.quantity, self.symbol, price, order_id)
        return order_id

    def move_to(self, price):
        """Move the limit of the order to buy; return True if the order was still open."""
        try:
            kite.modify_order(kite.VARIETY_REGULAR, self.entry, price=price)
        except InputException as refusal:
            log.info("%s: %s", self.symbol, refusal)
            return False
        log.info("%s: now at %.2f", self.symbol, price)
        return True


def require_money(quotes):
    """Stop if the account does not cover the basket."""
    basket = [share.terms("BUY", quotes[share.key]["last_price"]) for share in shares]
    needed = kite.basket_order_margins(basket)["final"]["total"]
    available = kite.margins("equity")["available"]["live_balance"]
    if needed > available:
        sys.exit(f"the basket needs {needed:.2f}, and {available:.2f} is available")


def run():
    """Follow the market from the first quote of a session to its end."""
    has_begun, at = False, ENDS
    while at < ENDS or not has_begun:
        quotes = kite.quote([share.key for share in shares])
        at, acted = max(quote["timestamp"] for quote in quotes.values()).time(), []
        if BEGINS <= at < ENDS:
            if not has_begun:
                require_money(quotes)
            has_begun = True
            orders = {order["order_id"]: order for order in kite.orders()}
            acted = [share.symbol for share in shares if share.act(quotes[share.key], orders)]
        if not acted:
            log.info("%s nothing to do", at)
            sleep(PAUSE_S)


if len(sys.argv) < 2 or not all(text.partition(":")[2].isdecimal() for text in sys.argv[1:]):
    sys.exit("usage: TRADEPOST_TOKEN=... python examples/kite_basket.py SYMBOL:QUANTITY...")
if not TOKEN:
    sys.exit("no token: set TRADEPOST_TOKEN")
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
kite = KiteConnect(api_key="any", access_token=TOKEN, root=BASE)
shares = [Share(symbol, int(quantity)) for symbol, quantity in (text.split(":") for text in sys.argv[1:])]
try:
    ticks = {row["tradingsymbol"]: row["tick_size"] for row in kite.instruments("NSE")}
    if unknown := [share.symbol for share in shares if share.symbol not in ticks]:
        sys.exit(f"NSE has no {', '.join(unknown)}")
    run()
    for position in kite.positions()["day"]:
        log.info("%(tradingsymbol)s %(product)s: %(quantity)s, profit %(pnl).2f", position)
except KiteException as error:
    sys.exit(f"{type(error).__name__}: {error}")
except RequestException as error:
    sys.exit(f"no answer from {BASE}: {error}")
