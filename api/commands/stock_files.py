"""The formats of stock files: each is recognised by its header and turns its rows into stocks.

Kite: the daily dump of all instruments (Kite Connect 3, kite.trade/docs/connect/v3/market-quotes, read 2026-11). Its
type EQ includes indices, with the segment INDICES. Its last_price is not real time, and 0 if there is none.
NSE: the list of equities (nsearchives.nseindia.com/content/equities/EQUITY_L.csv, read 2026-11). Most of its headings
begin with a blank. It has the series EQ, BE and BZ, and no prices.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

Cells = Mapping[str, str]
Stock = dict[str, str]  # exchange, symbol, and lastPrice if there is one

SHARE_SEGMENTS = ("NSE", "BSE")
SHARE_SERIES = ("EQ", "BE", "BZ")
NO_PRICE = re.compile(r"0*(\.0*)?")
NEEDLESS_ZEROS = re.compile(r"(?<=\.[0-9]{2})0+$")


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: the columns by which it is recognised, and the stock of a row, None if it holds no stock."""

    name: str
    columns: tuple[str, ...]
    stock_of: Callable[[Cells], Stock | None]


def recognise(header: Collection[str]) -> Format | None:
    """Return the format of a file with this header, or None if it is of no known format."""
    return next((known for known in FORMATS if set(known.columns) <= set(header)), None)


def _given(**cells: str) -> Stock:
    return {name: cell for name, cell in cells.items() if cell}


def _own_stock(cells: Cells) -> Stock:
    return _given(**cells)


def _kite_stock(cells: Cells) -> Stock | None:
    if cells["instrument_type"] != "EQ" or cells["segment"] not in SHARE_SEGMENTS:
        return None
    price = cells.get("last_price", "")
    price = "" if NO_PRICE.fullmatch(price) else NEEDLESS_ZEROS.sub("", price)
    return _given(exchange=cells["exchange"], symbol=cells["tradingsymbol"], lastPrice=price)


def _nse_stock(cells: Cells) -> Stock | None:
    return _given(exchange="NSE", symbol=cells["SYMBOL"]) if cells["SERIES"] in SHARE_SERIES else None


OWN = Format("list of stocks", ("exchange", "symbol"), _own_stock)
KITE = Format("Kite's instruments", ("tradingsymbol", "instrument_type", "segment", "exchange"), _kite_stock)
NSE = Format("NSE's list of equities", ("SYMBOL", "NAME OF COMPANY", "SERIES"), _nse_stock)
FORMATS = (OWN, KITE, NSE)
