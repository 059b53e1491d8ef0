"""The commands on quotes."""

import re
from collections.abc import Sequence
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from api.http.errors import invalid
from schemas.live_quotes import KEY
from schemas.market import QuoteSchema, StockSchema
from schemas.orders import EXCHANGES
from trading.market.quotes import GivenQuote
from trading.market.stocks import find_stock, find_stocks, pair_of
from trading.matching.feed import MarketRules, receive_quotes

from .command_input import load
from .failures import fail, with_database
from .order_commands import stock_of
from .output import Columns, as_json, as_time, show

quotes = AppGroup("quotes", help="Set and show last traded prices.")

STOCK = StockSchema()
COLUMNS: Columns = {
    "STOCK": stock_of,
    "LAST": "lastPrice",
    "BID": "bidPrice",
    "ASK": "askPrice",
    "PREVIOUS CLOSE": "previousClose",
    "QUOTED (IST)": as_time("quotedAt"),
    "NAME": "name",
}
EXCHANGE_AND_BLANK = re.compile(rf"\b({'|'.join(EXCHANGES)}) ")


@quotes.command("set")
@click.argument("exchange")
@click.argument("symbol")
@click.argument("last_price", metavar="PRICE")
@click.option("--bid", help="The best bid. Default: none; without bid and ask the price stands for both.")
@click.option("--ask", help="The best offer.")
@as_json
@with_database
def quotes_set(exchange: str, symbol: str, last_price: str, bid: str | None, ask: str | None, as_json: bool) -> None:
    """Set the last traded price of a stock, and its book; an unknown stock is created.

    Workers fill the orders that the quote matches.
    """
    values = {"exchange": exchange, "symbol": symbol, "lastPrice": last_price, "bidPrice": bid, "askPrice": ask}
    quote = load(QuoteSchema(), {name: value for name, value in values.items() if value is not None})
    reception = receive_quotes([GivenQuote(**quote)], MarketRules.of(current_app.config["SETTINGS"]))
    for refusal in reception.not_matched:
        click.echo(f"matches nothing: {refusal.outcome}", err=True)
    stock = find_stock(quote["exchange"], quote["symbol"])
    if as_json:
        show(as_json, {**STOCK.dump(stock), "matched": reception.matched})
    else:
        click.echo(_line(STOCK.dump(stock), reception.matched))


@quotes.command("show")
@click.argument("keys", metavar="EXCHANGE SYMBOL...", nargs=-1, required=True)
@as_json
@with_database
def quotes_show(keys: Sequence[str], as_json: bool) -> None:
    """Show the quotes of stocks, given as NSE RELIANCE or as NSE:RELIANCE."""
    wanted = EXCHANGE_AND_BLANK.sub(r"\1:", " ".join(keys).upper()).split()
    wrong = [key for key in wanted if not KEY.fullmatch(key)]
    if wrong:
        raise invalid({wrong[0]: ["Must be an exchange and a symbol, such as NSE RELIANCE."]})
    found = find_stocks(map(pair_of, wanted))
    show(as_json, STOCK.dump(found, many=True), COLUMNS)
    known = {f"{stock['exchange']}:{stock['symbol']}" for stock in found}
    unknown = [key for key in wanted if key not in known]
    if unknown:
        fail(f"Unknown stocks: {', '.join(unknown)}. `tradepost stocks list --search TEXT` finds stocks.")


def _line(stock: dict[str, Any], matched: int) -> str:
    """Return the quote in a line: "NSE:RELIANCE 2500.00, bid 2499.95, ask 2500.05; 2 orders matched"."""
    sides = [f"{name} {price}" for name, price in (("bid", stock["bidPrice"]), ("ask", stock["askPrice"])) if price]
    line = ", ".join([f"{stock_of(stock)} {stock['lastPrice']}", *sides])
    return f"{line}; {matched} {'order' if matched == 1 else 'orders'} matched" if matched else line
