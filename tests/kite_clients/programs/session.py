"""A session of a bot with an official client in Python, which tells in JSON what it saw.

Its first line of input says where and with which token. It trades, and prints what it saw in a line. After a second
line it listens to the ticker, and after a third it prints what the ticker told it.
"""

import json
import sys
import time
from datetime import datetime, timedelta

from kiteconnect import KiteConnect, KiteTicker

PATIENCE_S = 20
GIVEN = json.loads(sys.stdin.readline())
SEEN = {}


def tell(values):
    print(json.dumps(values, default=lambda one: one.isoformat()), flush=True)


def see(name, call, *arguments, **named):
    """Keep what a call returns, or the exception that it raises, and return the former."""
    try:
        SEEN[name] = call(*arguments, **named)
    except Exception as error:  # noqa: BLE001  # each of the client is told
        code = getattr(error, "code", None)
        SEEN[name] = {"error": type(error).__name__, "code": code, "message": str(error)}
        return None
    return SEEN[name]


def connect(token):
    return KiteConnect(api_key="any", access_token=token, root=GIVEN["url"])


class Bot:
    def __init__(self, kite):
        self.kite = kite

    def place(self, name, symbol, side, quantity, order_type, product="CNC", **rest):
        order = {"exchange": "NSE", "tradingsymbol": symbol, "transaction_type": side, "quantity": quantity}
        return see(name, self.kite.place_order, "regular", order_type=order_type, product=product, **order, **rest)

    def history(self, name, order_id):
        see(name, self.kite.order_history, order_id)

    def await_status(self, name, order_id, status):
        """Ask for an order until it has a status, as bots do."""
        deadline = time.monotonic() + PATIENCE_S
        while see(name, self.kite.order_history, order_id) is not None and time.monotonic() < deadline:
            if SEEN[name][-1]["status"] == status:
                return
            time.sleep(0.05)

    def read_the_account(self):
        see("profile", self.kite.profile)
        see("margins", self.kite.margins)
        see("margins_equity", self.kite.margins, "equity")

    def sign_in_and_out(self):
        other = KiteConnect(api_key="any", root=GIVEN["url"])
        see("session", other.generate_session, GIVEN["token"], "a secret")
        see("session_profile", other.profile)
        see("signed_out", other.invalidate_access_token)
        see("nobody", connect("nobody").profile)

    def read_the_market(self):
        for name, exchange in (("instruments", None), ("instruments_nse", "NSE"), ("instruments_bse", "BSE")):
            rows = see(name, self.kite.instruments, exchange) or []
            SEEN[name] = {
                "count": len(rows),
                "infy": next((one for one in rows if one["tradingsymbol"] == "INFY"), None),
            }
        both = ["NSE:INFY", str(GIVEN["tokens"]["INFY"])]
        for name in ("ltp", "ohlc", "quote"):
            see(name, getattr(self.kite, name), both)
        many = GIVEN["many"]
        see("ltp_1000", lambda: len(self.kite.ltp(many)))
        see("quote_500", lambda: len(self.kite.quote(many[:500])))
        see("quote_501", self.kite.quote, many[:501])
        see("ltp_unknown", self.kite.ltp, ["NSE:NOBODY"])
        see("trigger_range", self.kite.trigger_range, "BUY", "NSE:INFY")

    def read_candles(self):
        now, infy = datetime.now(), GIVEN["tokens"]["INFY"]
        deadline = time.monotonic() + PATIENCE_S
        while not see("minutes", self.kite.historical_data, infy, now - timedelta(days=3), now, "minute"):
            if time.monotonic() > deadline:  # the running minute is there within seconds
                break
            time.sleep(0.2)
        see("days", self.kite.historical_data, infy, now - timedelta(days=3), now, "day")
        see("minutes_too_long", self.kite.historical_data, infy, now - timedelta(days=70), now, "minute")

    def rest_change_and_cancel(self):
        order_id = self.place("limit", "INFY", "BUY", 2, "LIMIT", price=1400.0, validity="DAY", tag="first")
        self.history("limit_placed", order_id)
        see("orders_with_limit", self.kite.orders)
        see("modified", self.kite.modify_order, "regular", order_id, price=1401.0)
        self.history("limit_modified", order_id)
        see("cancelled", self.kite.cancel_order, "regular", order_id)
        self.history("limit_cancelled", order_id)
        see("cancelled_again", self.kite.cancel_order, "regular", order_id)
        see("modified_again", self.kite.modify_order, "regular", order_id, price=1402.0)
        order_id = self.place("ioc", "INFY", "BUY", 1, "LIMIT", price=1400.0, validity="IOC")
        self.await_status("ioc_history", order_id, "CANCELLED")

    def fill_convert_and_guard(self):
        order_id = self.place("market", "RELIANCE", "BUY", 4, "MARKET", "MIS")
        self.await_status("market_history", order_id, "COMPLETE")
        see("order_trades", self.kite.order_trades, order_id)
        see("trades", self.kite.trades)
        see("converted", self.kite.convert_position, "NSE", "RELIANCE", "BUY", "day", 1, "MIS", "CNC")
        order_id = self.place("sl", "RELIANCE", "SELL", 1, "SL", "MIS", price=2470.0, trigger_price=2480.0)
        self.history("sl_history", order_id)
        order_id = self.place("slm", "RELIANCE", "SELL", 2, "SL-M", "MIS", trigger_price=2400.0)
        self.history("slm_history", order_id)
        order_id = self.place("sold", "TCS", "SELL", 2, "MARKET")
        self.await_status("sold_history", order_id, "COMPLETE")
        see("positions", self.kite.positions)
        see("holdings", self.kite.holdings)

    def be_refused(self):
        self.place("no_funds", "INFY", "BUY", 100_000, "MARKET")
        self.place("no_symbol", "NOBODY", "BUY", 1, "MARKET")
        self.place("no_tick", "INFY", "BUY", 1, "LIMIT", price=1400.03)
        self.place("wrong_trigger", "RELIANCE", "SELL", 1, "SL-M", "MIS", trigger_price=2600.0)
        self.place("no_shares", "INFY", "SELL", 1_000, "LIMIT", price=1600.0)
        see("no_order", self.kite.order_history, "111111111111111")
        see("no_variety", self.kite.cancel_order, "co", "111111111111111")

    def calculate(self):
        order = {"exchange": "NSE", "tradingsymbol": "INFY", "transaction_type": "BUY", "variety": "regular"}
        order |= {"product": "MIS", "order_type": "MARKET", "quantity": 10, "price": 0, "trigger_price": 0}
        see("order_margins", self.kite.order_margins, [order])
        see("basket", self.kite.basket_order_margins, [order, {**order, "transaction_type": "SELL"}])
        if hasattr(self.kite, "get_virtual_contract_note"):
            done = {**order, "order_id": "1", "average_price": 1500.0}
            see("contract_note", self.kite.get_virtual_contract_note, [done])
        if hasattr(self.kite, "place_autoslice_order"):
            sliced = self.kite.place_autoslice_order
            see("sliced", sliced, "regular", "NSE", "INFY", "BUY", 1, "CNC", "LIMIT", price=1300.0)

    def ask_for_what_is_not_offered(self):
        see("gtts", self.kite.get_gtts)
        order = {"transaction_type": "BUY", "quantity": 1, "order_type": "LIMIT", "product": "CNC", "price": 1400.0}
        see("gtt", self.kite.place_gtt, "single", "INFY", "NSE", [1400.0], 1500.0, [order])
        for name in ("mf_orders", "mf_sips", "mf_holdings", "mf_instruments", "get_auction_instruments"):
            see(name, getattr(self.kite, name))


class Listener:
    """The ticker of a bot, and what it is told."""

    def __init__(self):
        lists = {name: [] for name in ("closes", "errors", "texts", "updates")}
        self.told = {**lists, "connects": 0, "reconnects": 0, "heartbeats": 0, "silence_s": 0.0}
        self.last, self.first_s, self.counts = {}, {}, {}
        self.began_at = self.heard_at = time.monotonic()
        self.ticker = KiteTicker("any", GIVEN["token"], root=GIVEN["ticker"])
        for name in ("on_connect", "on_close", "on_error", "on_reconnect", "on_message", "on_ticks", "on_order_update"):
            setattr(self.ticker, name, getattr(self, name))

    def on_connect(self, ticker, response):
        self.told["connects"] += 1
        self.began_at = self.heard_at = time.monotonic()
        for mode, tokens in GIVEN["listen"].items():
            ticker.subscribe(tokens)
            ticker.set_mode(mode, tokens)

    def on_close(self, ticker, code, reason):
        self.told["closes"].append([code, str(reason)])

    def on_error(self, ticker, code, reason):
        self.told["errors"].append([code, str(reason)])

    def on_reconnect(self, ticker, attempts):
        self.told["reconnects"] += 1

    def on_message(self, ticker, payload, is_binary):
        now = time.monotonic()
        self.told["silence_s"] = max(self.told["silence_s"], now - self.heard_at)
        self.heard_at = now
        if not is_binary:
            self.told["texts"].append(json.loads(payload)["type"])
        elif len(payload) == 1:
            self.told["heartbeats"] += 1

    def on_ticks(self, ticker, ticks):
        for tick in ticks:
            token = tick["instrument_token"]
            self.last[token] = tick
            self.first_s.setdefault(token, time.monotonic() - self.began_at)
            self.counts[token] = self.counts.get(token, 0) + 1

    def on_order_update(self, ticker, order):
        self.told["updates"].append(order)

    def summary(self):
        """Return what was told, and for the first stock of each mode its last tick and the number of its ticks."""
        firsts = {mode: tokens[0] for mode, tokens in GIVEN["listen"].items()}
        return self.told | {
            "last": {mode: self.last.get(token) for mode, token in firsts.items()},
            "counts": {mode: self.counts.get(token, 0) for mode, token in firsts.items()},
            "stocks": len(self.last),
            "slowest_first_s": max(self.first_s.values(), default=None),
        }


def main():
    bot = Bot(connect(GIVEN["token"]))
    bot.read_the_account()
    bot.sign_in_and_out()
    bot.read_the_market()
    bot.rest_change_and_cancel()
    bot.fill_convert_and_guard()
    bot.be_refused()
    bot.calculate()
    bot.ask_for_what_is_not_offered()
    bot.read_candles()
    see("orders", bot.kite.orders)
    tell(SEEN)
    sys.stdin.readline()
    listener = Listener()
    listener.ticker.connect(threaded=True)
    sys.stdin.readline()
    tell(listener.summary())


main()
