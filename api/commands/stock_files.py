"""The formats of stock files: each is recognised by its header and turns its rows into stocks.

Kite: the daily dump of all instruments (Kite Connect 3, kite.trade/docs/connect/v3/market-quotes, read 2026-11). Its
type EQ includes indices, with the segment INDICES. Its last_price is not real time, and 0 if there is none. The name of
a future is the symbol of its share. A share with futures on either exchange has a closing auction on both (NSE's
circular on the closing auction, read 2026-11).
NSE: the list of equities (nsearchives.nseindia.com/content/equities/EQUITY_L.csv, read 2026-11). Most of its headings
begin with a blank. It has the series EQ, BE and BZ, and no prices. Shares of BE and BZ are traded for delivery only.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from schemas.fields import UNCLEAN
from schemas.stocks import ISIN_PATTERN, MAX_NAME_LENGTH

Cells = Mapping[str, str]
Stock = dict[str, str]  # exchange, symbol, and the facts that are there, by the names of StockImportSchema

SHARE_SEGMENTS = ("NSE", "BSE")
SHARE_FUTURES = ("NFO-FUT", "BFO-FUT")
SHARE_SERIES = {"EQ": "true", "BE": "false", "BZ": "false"}  # whether INTRADAY orders are allowed
ISIN = re.compile(ISIN_PATTERN)
NO_PRICE = re.compile(r"0*(\.0*)?")
NEEDLESS_ZEROS = re.compile(r"(?<=\.[0-9]{2})0+$")


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: the columns by which it is recognised, and the stock of a row, None if it holds no stock.

    has_live_prices is False if its prices are not those of now, so that no order may fill on them.
    underlying_of returns the share's symbol for the row of a future on a share, else None.
    """

    name: str
    columns: tuple[str, ...]
    stock_of: Callable[[Cells], Stock | None]
    has_live_prices: bool = True
    underlying_of: Callable[[Cells], str | None] = lambda _: None


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
    price, tick, lot = (_number(cells.get(name, "")) for name in ("last_price", "tick_size", "lot_size"))
    facts = {"name": _name(cells.get("name", "")), "lastPrice": price, "tickSize": tick, "lotSize": lot}
    facts["instrumentToken"] = cells.get("instrument_token", "")
    return _given(exchange=cells["exchange"], symbol=cells["tradingsymbol"], **facts)


def _kite_underlying(cells: Cells) -> str | None:
    return cells.get("name") if cells["segment"] in SHARE_FUTURES else None


def _name(cell: str) -> str:
    """Return a name as far as it can be kept: a bad one must not cost the stock."""
    return "" if UNCLEAN.search(cell) else cell[:MAX_NAME_LENGTH]


def _number(cell: str) -> str:
    """Return a number without needless zeros; an empty text for 0, which stands for an unknown number."""
    return "" if NO_PRICE.fullmatch(cell) else NEEDLESS_ZEROS.sub("", cell)


def _nse_stock(cells: Cells) -> Stock | None:
    allows_intraday = SHARE_SERIES.get(cells["SERIES"])
    if allows_intraday is None:
        return None
    isin = cells.get("ISIN NUMBER", "")
    facts = {
        "name": _name(cells["NAME OF COMPANY"]),
        "lotSize": _number(cells.get("MARKET LOT", "")),
        "intradayAllowed": allows_intraday,
        "isin": isin if ISIN.fullmatch(isin) else "",
        "series": cells["SERIES"],
    }
    return _given(exchange="NSE", symbol=cells["SYMBOL"], **facts)


OWN = Format("list of stocks", ("exchange", "symbol"), _own_stock)
KITE = Format(
    "Kite's instruments",
    ("tradingsymbol", "instrument_type", "segment", "exchange"),
    _kite_stock,
    False,
    _kite_underlying,
)
NSE = Format("NSE's list of equities", ("SYMBOL", "NAME OF COMPANY", "SERIES"), _nse_stock)
FORMATS = (OWN, KITE, NSE)
