"""The quotes of a past day: six stocks whose prices lead two bots through every way in which their trades can end."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from tests.trading.weeks.calendar_of_weeks import at
from tests.trading.weeks.generating import Quote

DAY, DAY_BEFORE, DAY_AFTER = date(2026, 11, 4), date(2026, 11, 3), date(2026, 11, 5)
TICK = Decimal("0.05")
VOLUME = 1_000  # of each stock between two of its quotes
CLASSES = {
    "RELIANCE": "AUCTION",  # breaks out upwards, and is squared off by the broker at 15:12
    "INFY": "NORMAL",  # breaks out upwards, and falls through its stop
    "SBIN": "NORMAL",  # breaks out downwards, and the bot leaves it at 15:15
    "TCS": "NORMAL",  # comes down to the basket's limit, and up to its exit
    "HDFCBANK": "NORMAL",  # rises from the beginning, so that the basket has to follow it; its exit expires
    "ITC": "AUCTION",  # is bought at once; its exit expires
}
# Prices at minutes of the day; between them a price moves in a straight line.
PATHS = {
    "RELIANCE": [("9:15", 2500), ("9:22", 2508), ("9:30", 2502), ("9:36", 2513), ("13:00", 2560), ("15:30", 2566)],
    "INFY": [("9:15", 1500), ("9:20", 1494), ("9:30", 1499), ("9:40", 1503), ("11:10", 1490), ("15:30", 1497)],
    "SBIN": [("9:15", 800), ("9:24", 806), ("9:30", 801), ("9:42", 797), ("12:00", 776), ("15:30", 773)],
    "TCS": [("9:15", 4000), ("9:21", 3998), ("9:26", 3985), ("12:30", 4060), ("15:30", 4040)],
    "HDFCBANK": [("9:15", 1600), ("10:00", 1612), ("14:00", 1606), ("15:30", 1609)],
    "ITC": [("9:15", 450), ("9:22", 450), ("9:25", 449), ("15:30", 451)],
}
BY_MINUTE = (("9:15", "9:44"), ("15:10", "15:29"))
MIDDAY_MINUTES = 10


@dataclass(frozen=True)
class Moment:
    """A time of the day with the quotes that come then."""

    at: datetime
    quotes: list[dict[str, Any]]


def _clock(text: str) -> datetime:
    hour, minute = text.split(":")
    return at(DAY, int(hour), int(minute))


def _times() -> Iterator[datetime]:
    """Yield the times of the quotes: by the minute while the bots have much to do, else every few minutes."""
    now, end = _clock("9:15"), _clock("15:30")
    while now < end:
        if now.minute % MIDDAY_MINUTES == 0 or any(_clock(first) <= now <= _clock(last) for first, last in BY_MINUTE):
            yield now + timedelta(seconds=30)
        now += timedelta(minutes=1)


def _price(symbol: str, now: datetime) -> Decimal:
    for (begin, low), (end, high) in pairwise(PATHS[symbol]):
        first, last = _clock(begin), _clock(end)
        if first <= now < last:
            ticks = (low + (high - low) * ((now - first) / (last - first))) / float(TICK)
            # A little unrest, so that no price is only where its path leads.
            return TICK * (round(ticks) + (now.minute * 7 + len(symbol) * 3) % 5 - 2)
    raise AssertionError(f"{symbol} has no path at {now}")


def moments() -> list[Moment]:
    """Return the day, beginning with the last quotes of the day before it."""
    found = [Moment(at(DAY_BEFORE, 15, 29, 30), [_closing(symbol) for symbol in PATHS])]
    traded: dict[str, list[Decimal]] = {symbol: [] for symbol in PATHS}
    for number, now in enumerate(_times(), 1):
        for symbol, prices in traded.items():
            prices.append(_price(symbol, now))
        found.append(Moment(now, [_quote(symbol, prices, number, now) for symbol, prices in traded.items()]))
    return found


def _closing(symbol: str) -> dict[str, Any]:
    price = Decimal(PATHS[symbol][0][1] - 5)
    return _quote(symbol, [price], 1, at(DAY_BEFORE, 15, 29, 30)) | {"previousClose": f"{price:.2f}"}


def _quote(symbol: str, prices: list[Decimal], number: int, now: datetime) -> dict[str, Any]:
    last, close_before = prices[-1], PATHS[symbol][0][1] - 5
    return {
        "exchange": "NSE",
        "symbol": symbol,
        "lastPrice": f"{last:.2f}",
        "bidPrice": f"{last - TICK:.2f}",
        "askPrice": f"{last + TICK:.2f}",
        "bidQuantity": 500,
        "askQuantity": 400,
        "volume": number * VOLUME,
        "open": f"{prices[0]:.2f}",
        "high": f"{max(prices):.2f}",
        "low": f"{min(prices):.2f}",
        "previousClose": f"{close_before:.2f}",
        "quotedAt": now.isoformat(),
        "lastTradedAt": now.isoformat(),
    }


def for_reckoning(found: list[Moment]) -> list[Quote]:
    """Return the quotes as the reckoning of weeks takes them."""
    names = ("lastPrice", "bidPrice", "askPrice", "low", "high")
    return [
        Quote(moment.at, quote["symbol"], *(Decimal(quote[name]) for name in names))
        for moment in found
        for quote in moment.quotes
    ]
