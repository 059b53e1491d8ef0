"""The curve of each account: its balance with the unrealised profit of its positions, minute by minute."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from models.database import fetch_all
from trading.rules.valuation import total_unrealized_pnl

MINUTE = timedelta(minutes=1)
Pair = tuple[str, str]  # exchange, symbol
ACCOUNTS = "SELECT id, name, balance FROM account ORDER BY id"
OPEN_POSITIONS = "SELECT account_id, exchange, symbol, quantity, cost FROM position WHERE quantity <> 0 ORDER BY id"


class Point(NamedTuple):
    """The worth of an account at a time, in rupees."""

    at: datetime
    account: str
    equity: Decimal


class Curve:
    """The points of all accounts; positions are read again only after they may have changed."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self._last_prices: dict[Pair, Decimal] = {}
        self._accounts: list[tuple[str, Decimal, list[tuple[Pair, int, Decimal]]]] = []
        self._minute: datetime | None = None
        self._is_stale = True

    def pass_time(self, at: datetime) -> None:
        """Add the points of the minute that is over, if one is; needs an open session."""
        minute = at.replace(second=0, microsecond=0)
        if self._minute is not None and minute > self._minute:
            self.add_points(self._minute + MINUTE)
        self._minute = minute

    def set_price(self, pair: Pair, last_price: Decimal) -> None:
        """Set the last price of a stock."""
        self._last_prices[pair] = last_price

    def read_again(self) -> None:
        """Let the next point read the balances and the positions."""
        self._is_stale = True

    def add_points(self, at: datetime) -> None:
        """Add a point for each account."""
        if self._is_stale:
            self._read()
        for name, balance, positions in self._accounts:
            held = [(quantity, cost, self._last_prices.get(pair)) for pair, quantity, cost in positions]
            self.points.append(Point(at, name, balance + total_unrealized_pnl(held)))

    def _read(self) -> None:
        positions: dict[object, list[tuple[Pair, int, Decimal]]] = {}
        for row in fetch_all(OPEN_POSITIONS):
            pair = (row["exchange"], row["symbol"])
            positions.setdefault(row["account_id"], []).append((pair, row["quantity"], row["cost"]))
        self._accounts = [(row["name"], row["balance"], positions.get(row["id"], [])) for row in fetch_all(ACCOUNTS)]
        self._is_stale = False
