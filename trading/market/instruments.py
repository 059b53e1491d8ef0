"""Instruments: stocks by the numbers that Kite Connect knows them by.

A key is `NSE:RELIANCE`. An instrument token is `exchange_token * 256 + segment`. An import may replace a token that the
database has made by the real one; otherwise both stay with a stock.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import TypedDict

from models.database import array_of, fetch_all, session
from models.rows import StockRow
from trading.market.stocks import AMONG, STOCKS, columns_of, pair_of

TOKENS = f"SELECT exchange, symbol, instrument_token FROM stock WHERE {AMONG}"
KEYS = "SELECT exchange, symbol, instrument_token FROM stock WHERE instrument_token = ANY(%s::integer[])"
QUOTED = f"{STOCKS} WHERE is_active AND instrument_token = ANY(%s::integer[])"
LIST = """
SELECT instrument_token, exchange, symbol, name, tick_size, lot_size FROM stock
WHERE is_active AND exchange = %s AND symbol > %s ORDER BY symbol LIMIT %s
"""
LARGEST_TOKEN = 2**31 - 1


class InstrumentRow(TypedDict):
    """A row of the list of instruments."""

    instrument_token: int
    exchange: str
    symbol: str
    name: str | None
    tick_size: Decimal | None
    lot_size: int | None


def key_of(exchange: str, symbol: str) -> str:
    """Return the key of a stock."""
    return f"{exchange}:{symbol}"


def tokens_of(keys: Iterable[str]) -> dict[str, int]:
    """Return the instrument tokens of stocks, active or not, by their keys; unknown keys are left out."""
    pairs = {pair_of(key) for key in keys}
    if not pairs:
        return {}
    with session():
        rows = fetch_all(TOKENS, columns_of(pairs))
    return {key_of(row["exchange"], row["symbol"]): row["instrument_token"] for row in rows}


def keys_of(tokens: Iterable[int]) -> dict[int, str]:
    """Return the keys of stocks, active or not, by their instrument tokens; unknown tokens are left out."""
    wanted = _possible(tokens)
    if not wanted:
        return {}
    with session():
        rows = fetch_all(KEYS, (array_of(wanted),))
    return {row["instrument_token"]: key_of(row["exchange"], row["symbol"]) for row in rows}


def find_instruments(tokens: Iterable[int]) -> list[StockRow]:
    """Return the rows of the active stocks that have these instrument tokens, in no order."""
    wanted = _possible(tokens)
    if not wanted:
        return []
    with session():
        return fetch_all(QUOTED, (array_of(wanted),), StockRow)


def list_instruments(exchange: str, *, after: str, limit: int) -> list[InstrumentRow]:
    """Return the next active stocks of an exchange by symbol; `after` is the last symbol before them, or empty."""
    with session():
        return fetch_all(LIST, (exchange, after, limit), InstrumentRow)


def _possible(tokens: Iterable[int]) -> set[int]:
    """Return the tokens that the database's type can hold."""
    return {token for token in tokens if 0 < token <= LARGEST_TOKEN}
