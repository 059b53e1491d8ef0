"""The inputs of a replay: quotes and actions, each with its time."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from trading.market.quotes import GivenQuote
from trading.orders.modification import OrderChange
from trading.rules.decision import OrderRequest

Item = TypeVar("Item", "QuoteInput", "Action")


class QuoteInput(NamedTuple):
    """A quote and the time at which it comes."""

    at: datetime
    quote: GivenQuote


class Action(NamedTuple):
    """An action of an account's owner: place, cancel, modify or close.

    name is the clientOrderId. A place has a request, or the code with which its terms are refused. A modify has a
    change, and a close the position's (exchange, symbol, product).
    """

    line: int
    at: datetime
    kind: str
    account: str
    name: str | None
    request: OrderRequest | None = None
    change: OrderChange | None = None
    position: tuple[str, str, str] | None = None
    refusal: str | None = None


class Waiting(Generic[Item]):
    """Items in the order of their times, of which the next one can be looked at."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items: Iterator[Item] = iter(items)
        self._next: Item | None = next(self._items, None)

    @property
    def next_at(self) -> datetime | None:
        """Return the time of the next item, None without one."""
        return None if self._next is None else self._next.at

    def take(self) -> Item:
        """Return the next item and go on; there must be one."""
        item, self._next = self._next, next(self._items, None)
        assert item is not None
        return item

    def take_until(self, limit: datetime | None, count: int) -> list[Item]:
        """Return up to count items whose time is not after the limit, and go on."""
        taken: list[Item] = []
        while len(taken) < count and (at := self.next_at) is not None and (limit is None or at <= limit):
            taken.append(self.take())
        return taken
