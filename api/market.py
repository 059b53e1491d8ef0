"""Stocks and quotes."""

from typing import Any

from flask import Response
from marshmallow import ValidationError

from models.database import session
from schemas.market import QuotesSchema, StockKeySchema, StockListSchema, StockPageSchema, StockSchema
from trading.market.quotes import STOCKS, find_stock, set_quotes
from trading.rules.errors import NotFound

from .http.authentication import requires
from .http.pagination import Keyset, fetch_page, read_word
from .http.parsing import Blueprint, takes_no_query
from .http.responses import respond

blueprint = Blueprint("market", __name__, url_prefix="/api/market", description="Stocks and quotes")

STOCK, STOCK_PAGE, STOCK_KEY = StockSchema(), StockPageSchema(), StockKeySchema()
# Room for 1,000 quotes of 500 bytes; Python's json.dumps writes up to 97 bytes for each, with its blanks.
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
def put_quotes(body: dict[str, Any]) -> Response:
    """Set the last traded prices of stocks; unknown stocks are created."""
    set_quotes([(quote["exchange"], quote["symbol"], quote["last_price"]) for quote in body["quotes"]])
    return Response(status=204)
