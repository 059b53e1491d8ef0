"""A market of one thread that plays a week by the rules as they are written, without code of the product.

Prices are those of tests.matching_stress.reckoning, money is that of tests.trading.reckoning. At the same time quotes
come first, then what the clock makes due, then the wishes.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial

from tests.matching_stress.reckoning import STOPS, Terms, Tick, look, walk
from tests.trading.reckoning import Reckoning, charges
from tests.trading.weeks.calendar_of_weeks import INDIA, at, times
from tests.trading.weeks.generating import CLASSES, Quote, Week, Wish

MAX_AGE = timedelta(seconds=60)
NEVER = datetime.max.replace(tzinfo=INDIA)
LARGEST = 1_000_000


class Refused(Exception):
    """A wish is refused, with a code."""


@dataclass
class Stock:
    """A stock with its last quote."""

    session_class: str
    number: int = 0
    usable_number: int = 0
    is_usable: bool = False
    is_halted: bool = False
    last: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    quoted_at: datetime = NEVER

    def side(self, side: str) -> Decimal | None:
        """Return the price that a side meets; without a book the last price."""
        if self.bid is None and self.ask is None:
            return self.last
        return self.ask if side == "BUY" else self.bid

    def tick(self, now: datetime, new_trade: Decimal | None = None, before: int = 0) -> Tick:
        """Return the last quote for the reckoning of prices."""
        return Tick(self.number, before, True, self.bid, self.ask, self.last, new_trade, now)


@dataclass
class Order:
    """An order and what has become of it; `money` is the order as the reckoning of money knows it."""

    wish: Wish
    place: int
    money: dict
    expires_at: datetime
    terms: Terms
    status: str = "OPEN"
    average: Decimal | None = None
    rule: str | None = None
    reason: str | None = None
    waits_for_session: bool = False
    is_square_off: bool = False


@dataclass
class Owner:
    """An account: its money, its orders, the refusals, and the shares that it holds as [day of purchase, quantity]."""

    money: Reckoning
    orders: dict[str, Order] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    shares: dict[str, list[list]] = field(default_factory=dict)
    positions: set[tuple[str, str]] = field(default_factory=set)


class Market:
    """The whole market; `play` yields each midnight, when all of the day is done."""

    def __init__(self, week: Week, balance: Decimal) -> None:
        self.week, self.days = week, week.days
        self.balance = Fraction(balance)
        self.stocks = {symbol: Stock(session_class) for symbol, session_class in CLASSES.items()}
        self.owners: dict[str, Owner] = {}
        self.now = NEVER
        self._count = 0

    def play(self) -> Iterator[datetime]:
        """Play the week; yield the end of each day."""
        quotes = [(one.at, 0, place, partial(self._quote, one)) for place, one in enumerate(self.week.quotes)]
        wishes = [(one.at, 2, place, partial(self._wish, one)) for place, one in enumerate(self.week.wishes)]
        for moment, _, _, work in heapq.merge(quotes, self._clockwork(), wishes, key=lambda one: one[:3]):
            self._expire_until(moment)
            self.now = moment
            if work is None:
                yield moment
            else:
                work()

    def _clockwork(self) -> list[tuple[datetime, int, int, Callable[[], None] | None]]:
        """Return what the clock makes due, in order; None stands for the end of a day."""
        found: list = []
        for day in self.days.all():
            if self.days.has_session(day):
                for name in ("AUCTION", "NORMAL"):
                    works = (self._open, self._square_off, self._close)
                    for moment, work in zip(times(day, name), works, strict=True):
                        found.append((moment, 1, len(found), partial(work, name)))
            found.append((at(day + timedelta(days=1), 0, 0), 1, len(found), None))
        return sorted(found, key=lambda one: one[:3])

    def _live(self, symbols: list[str]) -> list[tuple[Owner, Order]]:
        """Return the live orders of stocks, by their placement."""
        found = [
            (owner, order)
            for owner in self.owners.values()
            for order in owner.orders.values()
            if order.status == "OPEN" and order.wish.symbol in symbols
        ]
        return sorted(found, key=lambda pair: pair[1].place)

    def _of_class(self, name: str) -> list[str]:
        return [symbol for symbol, stock in self.stocks.items() if stock.session_class == name]

    def _expire_until(self, now: datetime) -> None:
        for owner, order in self._live(list(self.stocks)):
            if order.expires_at <= now:
                self._end(owner, order, "EXPIRED")

    def _end(self, owner: Owner, order: Order, status: str) -> None:
        owner.money.give_back(order.money)
        order.status = status

    # Quotes and fills

    def _quote(self, quote: Quote) -> None:
        stock = self.stocks[quote.symbol]
        last = stock.last if quote.last is None else quote.last
        if last is None:
            return
        before, previous_last = stock.usable_number, stock.last
        stock.number += 1
        stock.last, stock.bid, stock.ask, stock.quoted_at = last, quote.bid, quote.ask, quote.at
        stock.is_halted = stock.is_halted if quote.halted is None else quote.halted
        is_in_range = (quote.low is None or quote.low <= last) and (quote.high is None or last <= quote.high)
        is_book_sound = quote.bid is None or quote.ask is None or quote.bid <= quote.ask
        stock.is_usable = self._session(stock) is not None and not stock.is_halted and is_in_range and is_book_sound
        if stock.is_usable:
            stock.usable_number = stock.number
            new_trade = quote.last if quote.last is not None and quote.last != previous_last else None
            self._match(quote.symbol, stock.tick(quote.at, new_trade, before))

    def _session(self, stock: Stock) -> tuple[datetime, datetime, datetime] | None:
        return self.days.session_of(self.now, stock.session_class)

    def _match(self, symbol: str, tick: Tick) -> None:
        matched = []
        for owner, order in self._live([symbol]):
            if order.waits_for_session:
                continue
            found = walk(order.terms, [tick])
            has_fired = found.triggered_by is not None
            if has_fired:
                self._trigger(order)
            if found.crossing is not None:
                matched.append((0 if has_fired else 1, order.place, owner, order, found.crossing))
        for _, _, owner, order, crossing in sorted(matched, key=lambda one: one[:2]):
            self._fill(owner, order, crossing.price, crossing.rule)

    def _trigger(self, order: Order) -> None:
        """Note that a stop has fired; one that takes any price ends with the session from now on."""
        order.terms = replace(order.terms, is_triggered=True)
        session = self._session(self.stocks[order.wish.symbol])
        if order.money["order_type"] == "STOP_MARKET" and session is not None:
            order.expires_at = min(order.expires_at, session[2])

    def _fill(self, owner: Owner, order: Order, price: Decimal, rule: str) -> None:
        held = owner.money.lot(order.money).quantity
        order.status = owner.money.execute(order.money, price)
        delivers = order.money["product"] == "DELIVERY"
        if order.status == "REJECTED":
            is_short = delivers and order.money["side"] == "SELL" and held < order.money["quantity"]
            order.reason = "insufficient_holdings" if is_short else "insufficient_margin"
            return
        order.average, order.rule = price, rule
        owner.positions.add((order.wish.symbol, order.money["product"]))
        if delivers:
            self._move_shares(owner.shares.setdefault(order.wish.symbol, []), order)

    def _move_shares(self, shares: list[list], order: Order) -> None:
        """Note a purchase; a sale takes the oldest shares first: those that settled, then those of t1, then today's."""
        left = order.money["quantity"]
        if order.money["side"] == "BUY":
            shares.append([self.now.astimezone(INDIA).date(), left])
            return
        while left:
            taken = min(left, shares[0][1])
            shares[0][1] -= taken
            left -= taken
            if not shares[0][1]:
                shares.pop(0)

    def _look(self, owner: Owner, order: Order) -> None:
        """Judge an order on the present quote: it fills, ends, or rests."""
        stock = self.stocks[order.wish.symbol]
        session = self._session(stock)
        is_usable = (
            stock.is_usable and session is not None and session[0] <= stock.quoted_at
            and self.now - stock.quoted_at < MAX_AGE  # the product reads its clock some microseconds later
        )  # fmt: skip
        order.terms = replace(order.terms, blind=None if is_usable else stock.number)
        tick = stock.tick(self.now)
        crossing = look(order.terms, tick) if is_usable else None
        if is_usable and order.terms.waits_for_trigger and walk(order.terms, [tick]).triggered_by is not None:
            self._trigger(order)
        if crossing is not None:
            self._fill(owner, order, crossing.price, crossing.rule)
        elif order.wish.validity == "IOC":
            self._end(owner, order, "CANCELLED")

    # The clock

    def _open(self, name: str) -> None:
        for owner, order in self._live(self._of_class(name)):
            if order.waits_for_session:
                order.waits_for_session = False
                self._look(owner, order)

    def _square_off(self, name: str) -> None:
        symbols = self._of_class(name)
        for owner, order in self._live(symbols):
            if order.money["product"] == "INTRADAY":
                self._end(owner, order, "CANCELLED")
        for owner in self.owners.values():
            for (symbol, product), lot in list(owner.money.lots.items()):
                if symbol in symbols and product == "INTRADAY" and lot.quantity:
                    self._close_out(owner, symbol, lot.quantity)

    def _close_out(self, owner: Owner, symbol: str, quantity: int) -> None:
        side = "SELL" if quantity > 0 else "BUY"
        name = f"squareoff {self.now:%d} {symbol}"
        wish = Wish(self.now, "place", "", name, symbol, side, "INTRADAY", "MARKET", abs(quantity))
        money = self._money_of(wish, Fraction(0), Fraction(0), abs(quantity))
        owner.orders[name] = order = Order(wish, self._next(), money, NEVER, _terms(wish), is_square_off=True)
        owner.money.accept(money)
        self._look(owner, order)

    def _close(self, name: str) -> None:
        """Fill the closing orders that no quote has filled at the last price."""
        for owner, order in self._live(self._of_class(name)):
            if order.is_square_off:
                last = self.stocks[order.wish.symbol].last
                assert last is not None
                self._fill(owner, order, last, "close_price")

    # Wishes

    def _wish(self, wish: Wish) -> None:
        owner = self.owners.setdefault(wish.owner, Owner(Reckoning(self.balance)))
        try:
            {"place": self._place, "cancel": self._cancel, "modify": self._modify, "close": self._close_position}[
                wish.kind
            ](owner, wish)
        except Refused as refusal:
            if wish.kind in ("place", "close"):
                owner.refused[wish.name] = str(refusal)

    def _next(self) -> int:
        self._count += 1
        return self._count

    def _place(self, owner: Owner, wish: Wish) -> None:
        stock = self.stocks[wish.symbol]
        session, waits = self._session(stock), False
        if session is None:
            if not wish.after_market:
                raise Refused("market_closed")
            session, waits = self.days.next_session(self.now, stock.session_class), True
        closing = owner.money.closes(wish.symbol, wish.product, wish.side, wish.quantity)
        self._check(wish, stock, session, opens=closing < wish.quantity)
        margin, debited = self._price_and_cover(owner, wish, closing, owner.money.available())
        money = self._money_of(wish, margin, debited, closing)
        ends = [session[2]] if wish.validity in ("DAY", "TTL") else []
        begin = session[0] if waits else self.now
        ends += [begin + timedelta(minutes=wish.minutes)] if wish.minutes else []
        order = Order(wish, self._next(), money, min(ends, default=NEVER), _terms(wish), waits_for_session=waits)
        owner.orders[wish.name] = order
        owner.money.accept(money)
        if not waits:
            self._look(owner, order)

    def _check(self, wish: Wish, stock: Stock, session, *, opens: bool, is_triggered: bool = False) -> None:
        sign, waits_for_trigger = 1 if wish.side == "BUY" else -1, wish.order_type in STOPS and not is_triggered
        if waits_for_trigger and wish.order_type == "STOP_LIMIT" and sign * (wish.trigger - wish.price) > 0:
            raise Refused("trigger_beyond_price")
        if stock.last is None and wish.order_type != "LIMIT":
            raise Refused("no_price")
        if waits_for_trigger and sign * (wish.trigger - stock.last) <= 0:
            raise Refused("trigger_on_wrong_side")
        if wish.product == "INTRADAY" and opens and self.now >= session[1]:
            raise Refused("square_off_passed")

    def _price_and_cover(self, owner: Owner, wish: Wish, closing: int, within: Fraction) -> tuple[Fraction, Fraction]:
        """Return the margin and the charges of an order, which must lie within what the account has."""
        opening = wish.quantity - closing
        price = self._assumed(wish, opens=opening > 0)
        margin = owner.money.blocks(wish.symbol, wish.product, price, opening, closing)
        debited = charges({"quantity": wish.quantity, "product": wish.product, "side": wish.side}, Fraction(price))
        if opening and wish.product == "DELIVERY" and wish.side == "SELL":
            raise Refused("insufficient_holdings")
        if opening and within < margin + debited:
            raise Refused("insufficient_margin")
        return margin, debited

    def _assumed(self, wish: Wish, *, opens: bool) -> Decimal:
        stock, opens_short = self.stocks[wish.symbol], opens and wish.side == "SELL"
        if wish.order_type == "LIMIT":
            bid = stock.side("SELL") if opens_short else None
            return max(wish.price, bid or wish.price)
        if wish.order_type == "STOP_LIMIT":
            return max(wish.price, wish.trigger) if opens_short else wish.price
        if wish.order_type == "STOP_MARKET":
            return wish.trigger
        found = stock.side(wish.side)
        return stock.last if found is None else found

    def _money_of(self, wish: Wish, margin: Fraction, debited: Fraction, closing: int) -> dict:
        return {
            "id": object(), "symbol": wish.symbol, "product": wish.product, "side": wish.side,
            "order_type": wish.order_type, "quantity": wish.quantity, "closing_quantity": closing,
            "blocked_margin": margin, "charges": debited,
        }  # fmt: skip

    def _named(self, owner: Owner, wish: Wish) -> Order:
        order = owner.orders.get(wish.name)
        if order is None or order.status != "OPEN":
            raise Refused("not_found")
        return order

    def _cancel(self, owner: Owner, wish: Wish) -> None:
        self._end(owner, self._named(owner, wish), "CANCELLED")

    def _modify(self, owner: Owner, wish: Wish) -> None:
        order = self._named(owner, wish)
        old, stock = order.wish, self.stocks[order.wish.symbol]
        if wish.price is not None and "LIMIT" not in (wish.order_type or old.order_type):
            raise Refused("validation_failed")
        new = _changed(old, wish)
        if new == old:
            return
        session = self._session(stock)
        if order.waits_for_session:
            session = self.days.next_session(self.now, stock.session_class)
        if session is None:
            raise Refused("market_closed")
        closing = owner.money.closes(new.symbol, new.product, new.side, new.quantity, besides=order.money["id"])
        self._check(new, stock, session, opens=closing < new.quantity, is_triggered=order.terms.is_triggered)
        margin, debited = self._price_and_cover(owner, new, closing, owner.money.within_reach(order.money))
        changed = {**self._money_of(new, margin, debited, closing), "id": order.money["id"]}
        owner.money.change(changed)
        order.wish, order.money = new, changed
        order.terms = replace(order.terms, order_type=new.order_type, price=new.price, trigger=new.trigger)
        if not order.waits_for_session:
            self._look(owner, order)

    def _close_position(self, owner: Owner, wish: Wish) -> None:
        if (wish.symbol, wish.product) not in owner.positions:
            raise Refused("not_found")
        lot = owner.money.lots[wish.symbol, wish.product]
        if self._session(self.stocks[wish.symbol]) is None:
            raise Refused("market_closed")
        side = "SELL" if lot.quantity > 0 else "BUY"
        closable = owner.money.closes(wish.symbol, wish.product, side, LARGEST)
        if not closable:
            raise Refused("nothing_to_close")
        self._place(owner, replace(wish, side=side, order_type="MARKET", quantity=closable))


def _changed(old: Wish, wish: Wish) -> Wish:
    """Return the terms of an order after a change; a type that has no price or no trigger loses it."""
    names = ("order_type", "quantity", "price", "trigger")
    new = replace(old, **{name: value for name in names if (value := getattr(wish, name))})
    return replace(
        new,
        price=new.price if "LIMIT" in new.order_type else None,
        trigger=new.trigger if new.order_type in STOPS else None,
    )


def _terms(wish: Wish) -> Terms:
    return Terms(wish.side, wish.order_type, wish.price, wish.trigger, False, None, "book", None)
