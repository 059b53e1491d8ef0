"""Read files of candles: CSV with a stock in each line, or of one stock, as those of Kite's clients are saved.

The lines are read without a schema of the API: a year of minutes of fifty stocks has 4.6 million.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from api.http.errors import HttpRefusal, invalid
from schemas.fields import DECIMAL_PATTERN, MAX_IDENTIFIER, MAX_PRICE
from trading.market.candles import GivenCandle
from trading.market.stocks import Pair
from trading.rules.sessions import INDIAN_TIME, indian_day

from .command_input import at_line
from .csv_input import CsvFile, open_csv
from .progress import reading

STOCK_COLUMNS = ("exchange", "symbol")
TIME_NAMES = ("at", "date")  # Kite's clients say date
PRICES = ("open", "high", "low", "close")
COLUMNS = (*PRICES, "volume")
VOLUME = re.compile(r"[0-9]{1,19}(\.0+)?")
MONEY = Decimal("0.01")
# Saved frames of pandas have prices such as 1704.5 and 1704.550000001.
LOOSE_DECIMAL = re.compile(r"[0-9]{1,8}(\.[0-9]{1,18})?")
YEARS, ONE_DAY = range(1990, 9990), timedelta(days=1)
EXAMPLE = "2026-11-27T09:15:00+05:30 or 2026-11-27 09:15:00"


class CandleFile:
    """A file of candles of minutes or of days; with `stock` all are of this stock.

    id_of returns the id of a stock, and raises HttpRefusal for an unknown one.
    """

    def __init__(self, path: str, id_of: Callable[[Pair], UUID], stock: Pair | None, *, are_days: bool) -> None:
        self.path, self.id_of, self.stock, self.are_days = path, id_of, stock, are_days

    def candles(self, label: str) -> Iterator[GivenCandle]:
        """Yield the candles, and show on a terminal how much was read; raise HttpRefusal for a line that is none."""
        with open_csv(self.path) as file:
            time_name = _check_header(file, self.stock)
            with reading(file, file.lines, label) as lines:
                for number, line in lines:
                    try:
                        yield self._candle(file.row(line), time_name)
                    except HttpRefusal as refusal:
                        raise at_line(number, refusal) from None

    def _candle(self, row: Mapping[str, str], time_name: str) -> GivenCandle:
        pair = self.stock or (row.get("exchange", "").upper(), row.get("symbol", "").upper())
        at = _time(row.get(time_name, ""), time_name, are_days=self.are_days)
        opened, high, low, close = (_price(row.get(name, ""), name) for name in PRICES)
        if high < max(opened, close) or low > min(opened, close):
            raise invalid({"high": ["All prices must lie between low and high."]})
        return GivenCandle(self.id_of(pair), at, opened, high, low, close, _volume(row.get("volume", "")))


def _check_header(file: CsvFile, stock: Pair | None) -> str:
    """Return the name of the column of times; raise HttpRefusal if a column is missing."""
    if stock is None and not set(STOCK_COLUMNS) <= set(file.header):
        raise invalid({"line 1, exchange": ["Is missing: name exchange and symbol here, or the stock by --stock."]})
    time_name = next((name for name in TIME_NAMES if name in file.header), None)
    missing = [name for name in COLUMNS if name not in file.header]
    if time_name is None:
        missing.append(TIME_NAMES[0])
    if missing or time_name is None:
        raise invalid({f"line 1, {name}": ["Is missing."] for name in missing})
    return time_name


def _time(cell: str, name: str, *, are_days: bool) -> datetime:
    """Return the time of a candle's beginning; one without a zone is Indian, and that of a day is its midnight."""
    try:
        at = datetime.fromisoformat(cell)
    except ValueError:
        raise invalid({name: [f"Must be a time, such as {EXAMPLE}."]}) from None
    if at.year not in YEARS:
        raise invalid({name: [f"Must be in {YEARS[0]} or later."]})
    at = (at if at.tzinfo else at.replace(tzinfo=INDIAN_TIME)).astimezone(UTC)
    if at > datetime.now(UTC) + ONE_DAY:
        raise invalid({name: ["Must not be in the future."]})
    if are_days:
        return datetime.combine(indian_day(at), datetime.min.time(), INDIAN_TIME)
    if at.second or at.microsecond:
        raise invalid({name: ["Must be the beginning of a minute."]})
    return at


def _price(cell: str, name: str) -> Decimal:
    price = Decimal(cell) if DECIMAL_PATTERN.fullmatch(cell) else None
    if price is None and LOOSE_DECIMAL.fullmatch(cell):
        price = Decimal(cell).quantize(MONEY)
    if price is None or not 0 < price <= MAX_PRICE:
        raise invalid({name: [f"Must be a price above 0.00, at most {MAX_PRICE}."]})
    return price


def _volume(cell: str) -> int:
    if not VOLUME.fullmatch(cell) or (volume := int(cell.partition(".")[0])) > MAX_IDENTIFIER:
        raise invalid({"volume": ["Must be a whole number, 0 or more."]})
    return volume
