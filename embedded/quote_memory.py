"""The quote simulator's memory over restarts: its last quotes, and the stocks that other clients quote."""

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

Key = tuple[str, str]  # exchange, symbol


class Expected(NamedTuple):
    """The quote that the service should have of a stock: its number and last price, or the next number and price sent.

    `sent` is the last price of a quote that may have been stored since then, None if there is none.
    """

    number: int
    price: Decimal
    sent: Decimal | None = None

    def explains(self, number: int, price: Decimal) -> bool:
        """Return True if no other client has quoted the stock."""
        return (number, price) in ((self.number, self.price), (self.number + 1, self.sent))


class QuoteMemory:
    """The file with the expected quotes and the stocks that are left alone; each is written before quotes are sent."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.expected: dict[Key, Expected] = {}
        self.left_alone: set[Key] = set()
        self._read()

    def write(self) -> None:
        """Write the file, as a whole or not at all; it is on the disk when this returns. Raises OSError."""
        document = {
            "quotes": {
                ":".join(key): [one.number, str(one.price), None if one.sent is None else str(one.sent)]
                for key, one in self.expected.items()
            },
            "leftAlone": sorted(":".join(key) for key in self.left_alone),
        }
        staging = self.path.with_suffix(".new")
        with staging.open("w", encoding="utf-8") as file:
            json.dump(document, file)
            file.flush()
            os.fsync(file.fileno())
        staging.replace(self.path)

    def _read(self) -> None:
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
            self.expected = {_key(name): _expected(values) for name, values in document["quotes"].items()}
            self.left_alone = {_key(name) for name in document["leftAlone"]}
        except (OSError, ValueError, TypeError, KeyError, ArithmeticError, AttributeError):
            self.expected, self.left_alone = {}, set()


def _key(name: str) -> Key:
    exchange, symbol = name.split(":", 1)
    return exchange, symbol


def _expected(values: tuple[int, str, str | None]) -> Expected:
    number, price, sent = values
    return Expected(number, Decimal(price), None if sent is None else Decimal(sent))
