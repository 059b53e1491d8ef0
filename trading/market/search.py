"""Search of stocks by any part of their symbol or name, the best first."""

from typing import Any

from models.database import fetch_all, session
from models.rows import StockRow
from trading.market.stocks import STOCKS

# Best are the symbol itself, then its first characters, then the beginning of a word of the name, then any other part.
SEARCH = f"""
SELECT found.* FROM ({STOCKS}) AS found
WHERE is_active AND (symbol LIKE upper(%(part)s) OR lower(name) LIKE lower(%(part)s))
    AND (%(exchange)s IS NULL OR exchange = %(exchange)s)
ORDER BY CASE WHEN symbol = upper(%(text)s) THEN 0 WHEN symbol LIKE upper(%(beginning)s) THEN 1
              WHEN ' ' || lower(name) LIKE lower(%(word)s) THEN 2 ELSE 3 END, symbol, exchange
LIMIT %(limit)s
"""
WILDCARDS = str.maketrans({sign: rf"\{sign}" for sign in r"\%_"})


def search_stocks(text: str, *, exchange: str | None, limit: int) -> list[StockRow]:
    """Return the rows of the active stocks that a text is part of, in whatever case, the best first."""
    literal = text.translate(WILDCARDS)
    parameters: dict[str, Any] = {
        "text": text,
        "beginning": f"{literal}%",
        "word": f"% {literal}%",
        "part": f"%{literal}%",
        "exchange": exchange,
        "limit": limit,
    }
    with session():
        return fetch_all(SEARCH, parameters, StockRow)
