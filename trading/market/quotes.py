"""Stocks and their last traded prices."""

from collections.abc import Iterable
from decimal import Decimal

from models import Stock
from models.database import execute, fetch_all, fetch_one, session, transactional
from models.identifiers import new_id
from models.rows import StockRow
from trading.accounts.ledgers import write_rows

Quote = tuple[str, str, Decimal]  # exchange, symbol, rupees
Pair = tuple[str, str]  # exchange, symbol

# The start of a list of stocks; the caller adds its conditions.
STOCKS = "SELECT * FROM stock"
# A list in the statement's text would be up to a thousand ORs: on a table without statistics each row tries them all.
AMONG = "(exchange, symbol) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"
ACTIVATE = f"""
UPDATE stock SET is_active = true WHERE id IN (
    SELECT id FROM stock WHERE NOT is_active AND {AMONG} ORDER BY exchange, symbol FOR NO KEY UPDATE)
"""


def find_stock(exchange: str, symbol: str) -> StockRow | None:
    """Return an active stock's row, or None."""
    chosen = (Stock.exchange == exchange) & (Stock.symbol == symbol) & Stock.is_active
    with session():
        return fetch_one(*Stock.select().where(chosen).sql(), StockRow)


def set_quotes(quotes: Iterable[Quote]) -> None:
    """Set last traded prices; create unknown stocks and activate inactive ones.

    If a stock comes twice, its last price counts. Unknown stocks are created first, in a transaction of their own: then
    all rows exist, and every feeder locks them in the same order, so feeders never deadlock.
    """
    prices = {(exchange, symbol): price for exchange, symbol, price in quotes}
    if prices:
        _create_missing(set(prices))
        _set_prices(prices)


def import_stocks(stocks: Iterable[Pair]) -> int:
    """Create or activate stocks given as (exchange, symbol); return the number that were not active before."""
    pairs = set(stocks)
    if not pairs:
        return 0
    return _create_missing(pairs) + _activate(pairs)


@transactional
def _create_missing(pairs: set[Pair]) -> int:
    known = fetch_all(f"SELECT exchange, symbol FROM stock WHERE {AMONG}", _columns(pairs))
    missing = sorted(pairs - {(stock["exchange"], stock["symbol"]) for stock in known})
    write_rows(
        "INSERT INTO stock (id, exchange, symbol) VALUES %s ON CONFLICT (exchange, symbol) DO NOTHING",
        [(new_id(), *pair) for pair in missing],
    )
    return len(missing)


@transactional
def _activate(pairs: set[Pair]) -> int:
    return execute(ACTIVATE, _columns(pairs))


@transactional
def _set_prices(prices: dict[Pair, Decimal]) -> None:
    fetch_all(
        f"SELECT id FROM stock WHERE {AMONG} ORDER BY exchange, symbol FOR NO KEY UPDATE OF stock", _columns(prices)
    )
    write_rows(
        "UPDATE stock SET last_price = quote.price, last_price_at = clock_timestamp(), is_active = true"
        " FROM (VALUES %s) AS quote (exchange, symbol, price)"
        " WHERE stock.exchange = quote.exchange AND stock.symbol = quote.symbol",
        [(*pair, price) for pair, price in prices.items()],
    )


def _columns(pairs: Iterable[Pair]) -> tuple[list[str], list[str]]:
    exchanges, symbols = zip(*pairs, strict=True)
    return list(exchanges), list(symbols)
