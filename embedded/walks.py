"""The prices of the demo's stocks: swings about a level that drifts within a band, and a gap now and then.

A swing is wide and quick enough for an order that rests a fifth of a percent from the market to fill within a minute.
"""

import random
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

TICK = Decimal("0.05")
# No price leaves the band around the stock's first price; the level of its swings stays farther inside.
BAND = 0.07
LEVEL_BAND = 0.05
LEVEL_STEP = 0.001
# The distance of a swing's end from the level, and the number of steps to get there.
SWING = (0.004, 0.009)
STEPS_OF_SWING = (5, 12)
NOISE = 0.0003
# About one gap in four minutes for each stock.
GAP_CHANCE = 0.004
GAP = (0.006, 0.012)
TURNOVER_OF_TRADE = 400_000  # rupees at most
MAX_BOOK_QUANTITY = 900


class Day(NamedTuple):
    """The trading day of a stock: the close before it, and its prices and volume so far."""

    day: date
    previous_close: Decimal
    open: Decimal
    high: Decimal
    low: Decimal
    volume: int = 0

    @classmethod
    def before_trades(cls, day: date, previous_close: Decimal) -> "Day":
        """Return a day that has not begun."""
        return cls(day, previous_close, previous_close, previous_close, previous_close)

    def after(self, price: Decimal, shares: int) -> "Day":
        """Return the day after a trade."""
        if self.volume == 0:
            return Day(self.day, self.previous_close, price, price, price, shares)
        high, low = max(self.high, price), min(self.low, price)
        return self._replace(high=high, low=low, volume=self.volume + shares)


class Walk:
    """The path of a stock's price about its first price."""

    def __init__(self, first: Decimal, price: Decimal, chance: random.Random) -> None:
        self.first, self.price, self._chance = float(first), price, chance
        self._level = self._within(float(price), LEVEL_BAND)
        self._side = chance.choice((-1, 1))
        self._turn()

    @staticmethod
    def is_possible(first: Decimal, price: Decimal) -> bool:
        """Return True if a walk about a first price can have reached a price."""
        return abs(price - first) <= first * Decimal(BAND) + TICK

    def step(self) -> Decimal:
        """Move the price towards the end of its swing, or over a gap, and return it."""
        price = float(self.price)
        if self._chance.random() < GAP_CHANCE:
            price *= 1 + self._chance.choice((-1, 1)) * self._chance.uniform(*GAP)
        else:
            price += (self._end - price) / self._steps_left + price * self._chance.uniform(-NOISE, NOISE)
        self._steps_left -= 1
        if self._steps_left == 0:
            self._turn()
        self.price = on_tick(self._within(price, BAND))
        return self.price

    def jump(self) -> Decimal:
        """Move the price over a gap, as from one day to the next, and return it."""
        size = self._chance.choice((-1, 1)) * self._chance.uniform(*GAP)
        self.price = on_tick(self._within(float(self.price) * (1 + size), BAND))
        return self.price

    def shares(self) -> int:
        """Return the number of shares of a trade."""
        return self._chance.randint(1, max(1, int(TURNOVER_OF_TRADE / self.price)))

    def _turn(self) -> None:
        """Begin a swing to the other side of the level, which has drifted a little."""
        drifted = self._level * (1 + self._chance.uniform(-LEVEL_STEP, LEVEL_STEP))
        self._level, self._side = self._within(drifted, LEVEL_BAND), -self._side
        self._end = self._level * (1 + self._side * self._chance.uniform(*SWING))
        self._steps_left = self._chance.randint(*STEPS_OF_SWING)

    def _within(self, price: float, band: float) -> float:
        return min(max(price, self.first * (1 - band)), self.first * (1 + band))


def on_tick(price: float) -> Decimal:
    """Return the price of the nearest tick, at least one tick."""
    return max(TICK, (Decimal(price) / TICK).quantize(Decimal(1), ROUND_HALF_UP) * TICK)


def close_before(symbol: str, first: Decimal) -> Decimal:
    """Return the close of the day before a stock's first day: it differs from its first price by up to a percent."""
    return on_tick(float(first) * (1 + random.Random(symbol).uniform(-0.01, 0.01)))  # noqa: S311  (no secret)
