"""Search of stocks by any part of their symbol or name, the best first."""

from typing import Any

from models.database import fetch_all, session
from models.rows import StockRow
from trading.market.stocks import STOCKS

# A text that many stocks contain is found among the first ones by symbol, which then are the stocks to list. Of any
# other text the index knows all stocks. So no search reads them all.
FIRST_STOCKS = 3_000
PART_LENGTH = 3  # of the index (migration 0014), which has no parts of one character: a search for one reads all texts
WILDCARDS = str.maketrans({sign: rf"\{sign}" for sign in r"\%_"})

# Each step is left out if those before it have filled the list. The steps with the index have no order and no limit:
# with them the planner might walk along the order, and compute the parts of all rows.
SEARCH = f"""
WITH searched AS NOT MATERIALIZED (SELECT * FROM stock_search WHERE %(exchange)s IS NULL OR exchange = %(exchange)s),
symbols AS MATERIALIZED (
    SELECT stock_id, 0 AS rank, symbol, exchange FROM searched WHERE symbol LIKE upper(%(beginning)s)
    ORDER BY symbol, exchange LIMIT %(limit)s),
head AS MATERIALIZED (
    SELECT * FROM (SELECT * FROM searched ORDER BY symbol, exchange LIMIT {FIRST_STOCKS}) AS first
    WHERE (SELECT count(*) FROM symbols) < %(limit)s AND text LIKE lower(%(part)s) AND text NOT LIKE lower(%(symbol)s)),
head_words AS MATERIALIZED (
    SELECT stock_id, 1 AS rank, symbol, exchange FROM head WHERE text LIKE lower(%(word)s)
    ORDER BY symbol, exchange LIMIT %(limit)s),
all_words AS MATERIALIZED (
    SELECT stock_id, 1 AS rank, symbol, exchange FROM searched
    WHERE (SELECT count(*) FROM symbols) < %(limit)s AND (SELECT count(*) FROM head_words) < %(limit)s
        AND parts_of(text, 2) @> parts_of(lower(%(first_word)s), %(word_part_length)s)
        AND text LIKE lower(%(word)s) AND text NOT LIKE lower(%(symbol)s)),
words AS MATERIALIZED (
    SELECT * FROM head_words UNION SELECT * FROM all_words ORDER BY symbol, exchange LIMIT %(limit)s),
head_others AS MATERIALIZED (
    SELECT stock_id, 2 AS rank, symbol, exchange FROM head WHERE text NOT LIKE lower(%(word)s)
    ORDER BY symbol, exchange LIMIT %(limit)s),
all_others AS MATERIALIZED (
    SELECT stock_id, 2 AS rank, symbol, exchange FROM searched
    WHERE (SELECT count(*) FROM symbols) + (SELECT count(*) FROM words) < %(limit)s
        AND (SELECT count(*) FROM head_others) < %(limit)s
        AND (%(part_length)s = 1 OR parts_of(text, 2) @> parts_of(lower(%(text)s), %(part_length)s))
        AND text LIKE lower(%(part)s) AND text NOT LIKE lower(%(word)s) AND text NOT LIKE lower(%(symbol)s)),
found AS MATERIALIZED (
    SELECT * FROM symbols UNION ALL SELECT * FROM words UNION ALL (
        SELECT * FROM head_others UNION SELECT * FROM all_others)
    ORDER BY rank, symbol, exchange LIMIT %(limit)s)
SELECT stock.* FROM found JOIN ({STOCKS}) AS stock ON stock.id = stock_id WHERE is_active
ORDER BY rank, found.symbol, found.exchange
"""


def search_stocks(text: str, *, exchange: str | None, limit: int) -> list[StockRow]:
    """Return the rows of the active stocks that a text is part of, in whatever case, the best first.

    Best are symbols that begin with the text, then names with a word that begins with it, then all others; each by
    symbol and exchange, so that the symbol itself is the very first.
    """
    literal = text.translate(WILDCARDS)
    parameters: dict[str, Any] = {
        "text": text,
        "first_word": f" {text}",
        "part_length": min(len(text), PART_LENGTH),
        "word_part_length": min(len(text) + 1, PART_LENGTH),
        "beginning": f"{literal}%",
        "symbol": f"\n{literal}%",
        "word": f"% {literal}%",
        "part": f"%{literal}%",
        "exchange": exchange,
        "limit": limit,
    }
    with session():
        return fetch_all(SEARCH, parameters, StockRow)
