"""Stocks, quotes and the clock of the market."""

from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

from flask import Response, after_this_request, current_app
from marshmallow import ValidationError

from models.database import session, snapshot
from models.rows import StockRow
from schemas.calendars import CalendarQuerySchema, MarketCalendarSchema, MarketClockSchema
from schemas.market import QuotesSchema, ReceptionSchema, StockKeySchema, StockSchema, goes_beyond_last_prices
from schemas.stocks import StockListSchema, StockPageSchema
from trading.market.calendars import Holiday, find_sessions, today
from trading.market.calendars import holidays as find_holidays
from trading.market.candle_recording import recorder
from trading.market.clock import market_clock
from trading.market.quotes import GivenQuote
from trading.market.search import search_stocks
from trading.market.stocks import STOCKS, find_stock, find_stocks, pair_of
from trading.matching.feed import MarketRules, receive_quotes
from trading.rules.errors import NothingThere
from trading.rules.sessions import Session

from .dispatching import execute_matched
from .http.authentication import requires
from .http.description import described
from .http.errors import invalid
from .http.pagination import Keyset, fetch_page, read_word
from .http.parsing import Blueprint, takes_no_query
from .http.responses import no_content, respond

blueprint = Blueprint("market", __name__, url_prefix="/api/market", description="Stocks, quotes and sessions")

STOCK, STOCK_PAGE, STOCK_KEY = StockSchema(), StockPageSchema(), StockKeySchema()
RECEPTION, CLOCK, CALENDAR = ReceptionSchema(), MarketClockSchema(), MarketCalendarSchema()
CALENDAR_DAYS, MAX_CALENDAR_DAYS = timedelta(days=30), timedelta(days=366)
# Room for 1,000 quotes of 500 bytes. Python's json.dumps writes up to 97 bytes for one that gives only its last price,
# and up to 620 for one that gives everything.
MAX_QUOTES_SIZE = 512 * 1024
BY_SYMBOL = Keyset({"symbol": read_word, "exchange": read_word}, descending=False)


@blueprint.get("/stocks")
@requires()
@blueprint.arguments(StockListSchema(), location="query")
@blueprint.response(200, STOCK_PAGE)
def list_stocks(query: dict[str, Any]) -> Response:
    """List stocks: all of them, those with a prefix, those that a search finds, or some by their keys.

    The list is ordered by symbol and exchange. With `search` the best come first: the symbol itself, then symbols that
    begin with the text, then names with a word that begins with it, then all others; `nextCursor` is null. With
    `symbols` exactly these stocks are listed, in their order; unknown ones are left out.
    """
    if query["symbols"] is not None:
        return _all_of(find_stocks(map(pair_of, query["symbols"])))
    if query["search"] is not None:
        return _all_of(search_stocks(query["search"], exchange=query["exchange"], limit=query["limit"]))
    prefix = query["prefix"]
    where = {
        "is_active = %s": True,
        # An underscore may occur in a symbol, and is a wildcard of LIKE.
        "symbol LIKE %s": None if prefix is None else prefix.replace("_", r"\_") + "%",
        "exchange = %s": query["exchange"],
    }
    with session():
        page = fetch_page(STOCKS, where, BY_SYMBOL, limit=query["limit"], cursor=query["cursor"])
    return respond(STOCK_PAGE, page)


def _all_of(stocks: list[StockRow]) -> Response:
    """Respond with the only page of a list."""
    return respond(STOCK_PAGE, {"data": stocks, "next_cursor": None})


@blueprint.get("/stocks/<exchange>/<symbol>")
@requires()
@takes_no_query
@blueprint.response(200, STOCK)
def read_stock(exchange: str, symbol: str) -> Response:
    """Read one stock with its quote.

    Upper and lower case are the same. `quoteNumber` counts the quotes: a higher one is a later quote.
    """
    try:
        key = STOCK_KEY.load({"exchange": exchange, "symbol": symbol})
    except ValidationError:
        raise NothingThere from None
    row = find_stock(key["exchange"], key["symbol"])
    if row is None:
        raise NothingThere
    return respond(STOCK, row)


@blueprint.get("/clock")
@requires()
@takes_no_query
@blueprint.response(200, CLOCK)
def clock() -> Response:
    """Read the time of the market, and for each class of stocks the open session, or the next one.

    Without a calendar the market is always open, and has one class, whose day ends at midnight in India.
    """
    settings = current_app.config["SETTINGS"]
    return respond(CLOCK, market_clock(settings.market_calendar, settings.square_off_time))


@blueprint.get("/calendar")
@requires()
@blueprint.arguments(CalendarQuerySchema(), location="query")
@blueprint.response(200, CALENDAR)
def calendar(query: dict[str, Any]) -> Response:
    """List the sessions and the holidays from one day to another, both included.

    Days without a session are left out, and so are sessions that nobody has made yet. A market that is always open has
    neither sessions nor holidays.
    """
    name = current_app.config["SETTINGS"].market_calendar
    sessions: list[Session] = []
    holidays: list[Holiday] = []
    with snapshot():
        first, last = _days(query)
        if name is not None:
            sessions, holidays = find_sessions(name, first, last), find_holidays(name, first, last)
    rows = {"sessions": [asdict(one) for one in sessions], "holidays": [one._asdict() for one in holidays]}
    return respond(CALENDAR, {"calendar": name, "first": first, "last": last, **rows})


def _days(query: dict[str, Any]) -> tuple[date, date]:
    """Return the first and the last day of a query, or refuse."""
    first = query["first"] or today()
    last = query["last"] or min(first, date.max - CALENDAR_DAYS) + CALENDAR_DAYS
    if not timedelta() <= last - first <= MAX_CALENDAR_DAYS:
        raise invalid({"to": [f"Must be 0 to {MAX_CALENDAR_DAYS.days} days after from."]})
    return first, last


@blueprint.put("/quotes")
@requires("feed")
@blueprint.arguments(QuotesSchema(), max_body_size=MAX_QUOTES_SIZE)
@blueprint.response(204)
@blueprint.response(200, RECEPTION)
@described(
    responses={
        200: {"description": "The quotes were taken; the body says what became of them."},
        204: {"description": "The quotes were taken; they gave only last prices."},
    }
)
def put_quotes(body: dict[str, Any]) -> Response:
    """Store quotes of stocks and match the orders that they reach; unknown stocks are created.

    Quotes that give only last prices are answered with 204, others with 200 and what became of them. Quotes of one
    stock are taken in their order. After a 503 some of the quotes may be stored: send all of them again.
    """
    settings = current_app.config["SETTINGS"]
    quotes = [GivenQuote(**quote) for quote in body["quotes"]]
    reception = receive_quotes(quotes, MarketRules.of(settings), tell=execute_matched)
    if settings.record_candles and settings.order_dispatch != "queue":
        _write_candles_when_sent()
    if not goes_beyond_last_prices(body["quotes"]):
        return no_content()
    refusals = [refusal._asdict() for refusal in reception.not_matched]
    return respond(RECEPTION, reception._asdict() | {"not_matched": refusals})


def _write_candles_when_sent() -> None:
    """Write the candles of the quotes after the response: on a host without workers this process may stop then."""

    @after_this_request
    def write_when_sent(response: Response) -> Response:
        response.call_on_close(recorder.write_quietly)
        return response
