"""A random week: quotes, actions of three owners, and holidays."""

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from tests.trading.weeks.calendar_of_weeks import INDIA, Days, at

CLASSES = {"ABC": "NORMAL", "DEF": "NORMAL", "GHI": "AUCTION"}
OWNERS = ("alice", "bob", "carol")
KINDS = ("LIMIT", "LIMIT", "MARKET", "STOP_LIMIT", "STOP_MARKET")


@dataclass(frozen=True)
class Quote:
    """A quote as a feeder gives it."""

    at: datetime
    symbol: str
    last: Decimal | None
    bid: Decimal | None = None
    ask: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    halted: bool | None = None


@dataclass(frozen=True)
class Wish:
    """An action of an owner; `minutes` are those of a TTL order."""

    at: datetime
    kind: str
    owner: str
    name: str
    symbol: str = ""
    side: str = ""
    product: str = ""
    order_type: str = ""
    quantity: int | None = None
    price: Decimal | None = None
    trigger: Decimal | None = None
    validity: str = "DAY"
    minutes: int | None = None
    after_market: bool = False


@dataclass(frozen=True)
class Week:
    """The days, the quotes and the wishes of a week, each in the order of time."""

    days: Days
    quotes: list[Quote]
    wishes: list[Wish]


def random_week(seed: int) -> Week:
    """Return a week of five to nine days with up to two holidays, and now and then a session at its weekend."""
    chance = random.Random(seed)
    first = date(2026, 10, 26) + timedelta(days=chance.randrange(5))
    last = first + timedelta(days=chance.randint(4, 8))
    inner = [first + timedelta(days=number) for number in range(1, (last - first).days)]
    closed, unsettled = (frozenset(chance.sample(inner, chance.randint(0, 1))) for _ in range(2))
    weekend = [day for day in inner if day.weekday() >= 5]
    special = frozenset(day for day in weekend if random.Random(f"{seed} {day}").random() < 0.3)
    if special and random.Random(f"Monday {seed}").random() < 0.3:
        closed |= {day for day in inner if day.weekday() == 0}  # the day as which the weekend's trades settle
    closed, unsettled = closed - special, unsettled - special
    days = Days(first, last, closed, unsettled - closed, special)
    quotes, wishes = [], []
    prices = dict.fromkeys(CLASSES, 100.0)
    for day in days.all():
        is_busy = days.has_session(day)
        quotes += [_quote(chance, moment, prices) for moment in _moments(chance, day, 120 if is_busy else 10)]
        for number, moment in enumerate(_moments(chance, day, 45 if is_busy else 5)):
            wishes.append(_wish(chance, moment, f"{day:%d}-{number}", [wish.name for wish in wishes]))
    return Week(days, sorted(quotes, key=lambda one: one.at), sorted(wishes, key=lambda one: one.at))


def _moments(chance: random.Random, day: date, count: int) -> list[datetime]:
    """Return different times of a day, most of them in bursts, so that some quotes are fresh for the orders."""
    found: set[datetime] = set()
    bursts = [at(day, 9, 14) + timedelta(minutes=chance.randrange(380)) for _ in range(8)]
    bursts += [at(day, 15, 11, 40), at(day, 15, 24, 30), at(day, 15, 29), at(day, 9, 14, 30)]
    while len(found) < count:
        burst = chance.choice(bursts)
        found.add(burst + timedelta(seconds=chance.randrange(90)))
    return sorted(found)


def _quote(chance: random.Random, moment: datetime, prices: dict[str, float]) -> Quote:
    symbol = chance.choice(list(CLASSES))
    prices[symbol] = min(106.0, max(94.0, prices[symbol] + chance.randint(-12, 12) / 10))
    last = Decimal(f"{prices[symbol]:.2f}")
    spread = Decimal(chance.choice(("0.05", "0.10", "-0.05", "0.50")))
    roll = chance.random()
    if roll < 0.1:
        return Quote(moment, symbol, last)
    if roll < 0.2:
        return Quote(moment, symbol, last, bid=last - abs(spread))
    if roll < 0.25:
        return Quote(moment, symbol, last, low=last + 1, high=last + 2)
    if roll < 0.3:
        return Quote(moment, symbol, last, halted=chance.random() < 0.3)
    return Quote(moment, symbol, last if roll < 0.9 else None, last - spread, last + spread, halted=False)


def _wish(chance: random.Random, moment: datetime, name: str, names: list[str]) -> Wish:
    owner, roll = chance.choice(OWNERS), chance.random()
    if names and roll < 0.1:
        return Wish(moment, "cancel", owner, chance.choice(names[-30:]))
    if names and roll < 0.22:
        change = {"quantity": chance.randint(1, 60)} if chance.random() < 0.5 else {"price": _price(chance)}
        return Wish(moment, "modify", owner, chance.choice(names[-30:]), **change)
    if roll < 0.27:
        product = chance.choice(("INTRADAY", "DELIVERY"))
        return Wish(moment, "close", owner, name, symbol=chance.choice(list(CLASSES)), product=product)
    kind, side, price, trigger = chance.choice(KINDS), chance.choice(("BUY", "SELL")), _price(chance), _price(chance)
    if "STOP" in kind and chance.random() < 0.9:  # beyond most last prices, with room for the limit
        sign = 1 if side == "BUY" else -1
        trigger = 100 + sign * Decimal(chance.randint(0, 60)) / 10
        price = trigger + sign * Decimal(chance.randint(0, 20)) / 10
    validity = "DAY" if kind == "MARKET" else chance.choice(("DAY", "DAY", "TTL", "GTC", "IOC"))
    if validity == "IOC" and kind != "LIMIT":
        validity = "DAY"
    is_early = moment.astimezone(INDIA).time() < at(moment.date(), 9, 15).timetz().replace(tzinfo=None)
    return Wish(
        moment, "place", owner, name, chance.choice(list(CLASSES)), side,
        chance.choice(("INTRADAY", "INTRADAY", "DELIVERY")), kind, chance.randint(1, 60),
        price if "LIMIT" in kind else None, trigger if "STOP" in kind else None, validity,
        chance.randint(1, 30) if validity == "TTL" else None,
        after_market=validity != "IOC" and is_early and chance.random() < 0.7,
    )  # fmt: skip


def _price(chance: random.Random) -> Decimal:
    return Decimal(100 + chance.randint(-6, 6)) + Decimal(chance.randint(0, 9)) / 10
