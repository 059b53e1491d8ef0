"""Quotes of stocks, asked for by `NSE:INFY` or by the instrument token."""

import re
from collections.abc import Callable
from typing import Any

import flask
from flask import Response

from models.rows import StockRow
from schemas.kite.quotes import day_prices, full_quote, last_price
from schemas.live_quotes import KEY
from trading.market.instruments import find_instruments, key_of
from trading.market.stocks import find_stocks, pair_of

from .authentication import requires
from .envelope import KiteRefusal, success
from .forms import listed

blueprint = flask.Blueprint("kite_quotes", __name__, url_prefix="/kite")

MAX_FULL, MAX_SHORT = 500, 1_000
TOKEN = re.compile(r"[0-9]{1,10}")


@blueprint.get("/quote")
@requires("read")
def quote() -> Response:
    """Read the quotes of up to 500 stocks, with their books."""
    return _answer(full_quote, MAX_FULL)


@blueprint.get("/quote/ohlc")
@requires("read")
def ohlc() -> Response:
    """Read the prices of the day of up to 1,000 stocks."""
    return _answer(day_prices, MAX_SHORT)


@blueprint.get("/quote/ltp")
@requires("read")
def ltp() -> Response:
    """Read the last prices of up to 1,000 stocks."""
    return _answer(last_price, MAX_SHORT)


def _answer(shown: Callable[[StockRow], dict[str, Any]], maximum: int) -> Response:
    """Respond with the stocks by the names that the request gives them; those without a price are left out."""
    asked = list(dict.fromkeys(listed("i")))
    if not asked:
        raise KiteRefusal("InputException", "Missing or empty field `i`")
    if len(asked) > maximum:
        raise KiteRefusal("InputException", f"Too many tokens requested. Max permitted is {maximum}.")
    found = _stocks(asked)
    priced = {name: found[name] for name in asked if name in found and found[name]["last_price"] is not None}
    return success({name: shown(row) for name, row in priced.items()})


def _stocks(names: list[str]) -> dict[str, StockRow]:
    """Return the active stocks by the names that are given: keys, or instrument tokens as they are spelt."""
    tokens = {name: int(name) for name in names if TOKEN.fullmatch(name)}
    by_token = {row["instrument_token"]: row for row in find_instruments(tokens.values())}
    by_key = {
        key_of(row["exchange"], row["symbol"]): row for row in find_stocks(map(pair_of, filter(KEY.fullmatch, names)))
    }
    return by_key | {name: by_token[token] for name, token in tokens.items() if token in by_token}
