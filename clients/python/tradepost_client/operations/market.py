"""Stocks, quotes and the market's clock."""

from collections.abc import Sequence
from datetime import date

from tradepost_client.calls import Answer, Call, Listing, document_of, listing, one, path, some
from tradepost_client.json_shapes import read_as
from tradepost_client.shapes.market import MarketCalendar, MarketClock, Reception, Stock
from tradepost_client.terms import Exchange, GivenQuote

STOCKS = "/api/market/stocks"


def stocks(*, prefix: str | None = None, exchange: Exchange | None = None, limit: int = 200) -> Listing[Stock]:
    """List the stocks whose symbol begins with a prefix, by symbol; limit is the size of a page."""
    return listing(Stock, STOCKS, {"prefix": prefix, "exchange": exchange, "limit": limit}, account_in=None)


def search_stocks(search: str, *, exchange: Exchange | None = None, limit: int = 50) -> Call[tuple[Stock, ...]]:
    """List the stocks whose symbol or name has this text in it, the best first, at most `limit`."""
    return Call("GET", STOCKS, some(Stock), query={"search": search, "exchange": exchange, "limit": limit})


def stocks_of(symbols: Sequence[str]) -> Call[tuple[Stock, ...]]:
    """List up to 200 stocks by their keys, such as `NSE:RELIANCE`; unknown ones are left out."""
    return Call("GET", STOCKS, some(Stock), query={"symbols": ",".join(symbols)})


def stock(exchange: Exchange, symbol: str) -> Call[Stock]:
    """Read a stock with its quote."""
    return Call("GET", path(STOCKS + "/{}/{}", exchange, symbol), one(Stock))


def clock() -> Call[MarketClock]:
    """Read the time of the market, and the open or next session of each class of stocks."""
    return Call("GET", "/api/market/clock", one(MarketClock))


def calendar(*, from_: date | None = None, to: date | None = None) -> Call[MarketCalendar]:
    """List the sessions and the holidays from one day to another: by default from today in India to 30 days later."""
    return Call("GET", "/api/market/calendar", one(MarketCalendar), query={"from_": from_, "to": to})


def put_quotes(quotes: Sequence[GivenQuote]) -> Call[Reception | None]:
    """Send up to 1,000 quotes; the result is None if all of them give only last prices (scope `feed`)."""
    return Call("PUT", "/api/market/quotes", _reception, body={"quotes": quotes})


def _reception(answer: Answer) -> Reception | None:
    return read_as(Reception, document_of(answer)) if answer.content else None
