"""The known stocks that are nearest to a symbol that is not known."""

import difflib
from typing import NamedTuple

from models.database import fetch_all, session
from trading.market.search import search_stocks

MAX_NEAREST = 5
LIKENESS = 0.7  # of difflib: SequenceMatcher.ratio
# A misspelt symbol has the first two or the last two characters of the right one, and about its length. These parts are
# in the search's index (migration 0014): a line break stands before and behind each symbol.
MAX_CANDIDATES = 2_000
CANDIDATES = """
SELECT stock.exchange, stock.symbol, stock.name FROM stock_search JOIN stock ON stock.id = stock_id
WHERE parts_of(text, 2) && ARRAY[E'\\n' || lower(left(%(symbol)s, 2)), lower(right(%(symbol)s, 2)) || E'\\n']
    AND length(stock_search.symbol) BETWEEN length(%(symbol)s) - 2 AND length(%(symbol)s) + 2
LIMIT %(limit)s
"""


class NearStock(NamedTuple):
    """A known stock that a client may have meant."""

    exchange: str
    symbol: str
    name: str | None


def nearest_symbols(exchange: str, symbol: str, *, limit: int = MAX_NEAREST) -> list[NearStock]:
    """Return the active stocks that are spelt like a symbol, the best first, then those that a search for it finds.

    Of two stocks with one symbol, that of the exchange comes first.
    """
    with session():
        candidates = fetch_all(CANDIDATES, {"symbol": symbol, "limit": MAX_CANDIDATES})
    words = difflib.get_close_matches(symbol, {row["symbol"] for row in candidates}, n=limit, cutoff=LIKENESS)
    alike = [row for row in candidates if row["symbol"] in words]
    alike.sort(key=lambda row: (words.index(row["symbol"]), row["exchange"] != exchange))
    found = search_stocks(symbol, exchange=None, limit=limit) if len(alike) < limit else []
    near = [NearStock(row["exchange"], row["symbol"], row["name"]) for row in (*alike, *found)]
    return list(dict.fromkeys(near))[:limit]
