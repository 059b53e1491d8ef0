"""Last traded prices and the stocks that they belong to."""

from collections.abc import Iterable
from decimal import Decimal

from models.database import fetch_all, transactional
from models.identifiers import new_id
from trading.books import write_rows

Quote = tuple[str, str, Decimal]  # exchange, symbol, rupees


@transactional
def set_quotes(quotes: Iterable[Quote]) -> None:
    """Set last traded prices; unknown stocks are created, inactive ones recovered; the last of a pair counts."""
    prices = {(exchange, symbol): price for exchange, symbol, price in quotes}
    if not prices:
        return
    _ensure_stocks(set(prices))
    fetch_all(
        "SELECT id FROM stock WHERE (exchange, symbol) IN %s ORDER BY exchange, symbol FOR NO KEY UPDATE",
        (tuple(sorted(prices)),),
    )
    write_rows(
        "UPDATE stock SET last_price = quote.price, last_price_at = clock_timestamp(), is_active = true"
        " FROM (VALUES %s) AS quote (exchange, symbol, price)"
        " WHERE stock.exchange = quote.exchange AND stock.symbol = quote.symbol",
        [(*pair, price) for pair, price in sorted(prices.items())],
    )


@transactional
def import_stocks(stocks: Iterable[tuple[str, str]]) -> int:
    """Make stocks known, or active again, given as (exchange, symbol); return how many were new."""
    return _ensure_stocks(set(stocks))


def _ensure_stocks(pairs: set[tuple[str, str]]) -> int:
    if not pairs:
        return 0
    known = fetch_all(
        "SELECT exchange, symbol FROM stock WHERE is_active AND (exchange, symbol) IN %s", (tuple(pairs),)
    )
    missing = sorted(pairs - {(stock["exchange"], stock["symbol"]) for stock in known})
    write_rows(
        "INSERT INTO stock (id, exchange, symbol) VALUES %s"
        " ON CONFLICT (exchange, symbol) DO UPDATE SET is_active = true",
        [(new_id(), *pair) for pair in missing],
    )
    return len(missing)
