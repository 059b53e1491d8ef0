"""Stocks and quotes."""

from typing import Any

from flask import Response, current_app
from marshmallow import ValidationError

from models.database import session
from schemas.market import (
    QuotesSchema,
    ReceptionSchema,
    StockKeySchema,
    StockListSchema,
    StockPageSchema,
    StockSchema,
    goes_beyond_last_prices,
)
from trading.market.quotes import GivenQuote
from trading.market.stocks import STOCKS, find_stock
from trading.matching.feed import MarketRules, receive_quotes
from trading.rules.errors import NotFound

from .dispatching import execute_matched
from .http.authentication import requires
from .http.pagination import Keyset, fetch_page, read_word
from .http.parsing import Blueprint, takes_no_query
from .http.responses import respond

blueprint = Blueprint("market", __name__, url_prefix="/api/market", description="Stocks and quotes")

STOCK, STOCK_PAGE, STOCK_KEY = StockSchema(), StockPageSchema(), StockKeySchema()
RECEPTION = ReceptionSchema()
# Room for 1,000 quotes of 500 bytes. Python's json.dumps writes up to 97 bytes for one that gives only its last price,
# and up to 620 for one that gives everything.
MAX_QUOTES_SIZE = 512 * 1024
BY_SYMBOL = Keyset({"symbol": read_word, "exchange": read_word}, descending=False)


@blueprint.get("/stocks")
@requires()
@blueprint.arguments(StockListSchema(), location="query")
@blueprint.response(200, STOCK_PAGE)
def list_stocks(query: dict[str, Any]) -> Response:
    """List stocks by the prefix of their symbol."""
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


@blueprint.get("/stocks/<exchange>/<symbol>")
@requires()
@takes_no_query
@blueprint.response(200, STOCK)
def read_stock(exchange: str, symbol: str) -> Response:
    """Read one stock with its last traded price."""
    try:
        key = STOCK_KEY.load({"exchange": exchange, "symbol": symbol})
    except ValidationError:
        raise NotFound from None
    row = find_stock(key["exchange"], key["symbol"])
    if row is None:
        raise NotFound
    return respond(STOCK, row)


@blueprint.put("/quotes")
@requires("feed")
@blueprint.arguments(QuotesSchema(), max_body_size=MAX_QUOTES_SIZE)
@blueprint.response(204)
@blueprint.response(200, RECEPTION)
def put_quotes(body: dict[str, Any]) -> Response:
    """Store quotes of stocks and match the orders that they reach; unknown stocks are created.

    Quotes that give only last prices are answered with 204, others with 200 and what became of them. Quotes of one
    stock are taken in their order. After a 503 some of the quotes may be stored: send all of them again.
    """
    rules = MarketRules.of(current_app.config["SETTINGS"])
    quotes = [GivenQuote(**quote) for quote in body["quotes"]]
    reception = receive_quotes(quotes, rules, tell=execute_matched)
    if not goes_beyond_last_prices(body["quotes"]):
        return Response(status=204)
    refusals = [refusal._asdict() for refusal in reception.not_matched]
    return respond(RECEPTION, reception._asdict() | {"not_matched": refusals})
