"""Changes of stocks that are no quotes: the facts that imports bring.

They take the same locks as quotes, so that no order is judged on half of a change.
"""

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from models.database import array_of, execute, fetch_all, transactional
from trading.market.quotes import lock_stocks
from trading.market.stocks import ensure_stocks
from trading.matching.buckets import lock_exclusive
from trading.matching.feed import STOCKS_PER_TRANSACTION

SET_FACTS = """
UPDATE stock SET tick_size = coalesce(new.tick_size, stock.tick_size),
    lot_size = coalesce(new.lot_size, stock.lot_size),
    allows_intraday = coalesce(new.allows_intraday, stock.allows_intraday),
    session_class = coalesce(new.session_class, stock.session_class), name = coalesce(new.name, stock.name),
    instrument_token = coalesce(new.instrument_token, stock.instrument_token),
    isin = coalesce(new.isin, stock.isin), series = coalesce(new.series, stock.series)
FROM json_to_recordset(%s) AS new (id uuid, tick_size numeric, lot_size integer, allows_intraday boolean,
    session_class text, name text, instrument_token integer, isin text, series text)
WHERE stock.id = new.id
"""
# A token belongs to the stock that the newest import gives it to: a renamed stock keeps the token of its old symbol.
HOLDERS = "SELECT id FROM stock WHERE instrument_token = ANY(%s::integer[])"
# The new tokens are read first: where the table has copies on several servers, all get the same ones.
NEW_TOKENS = """
SELECT stock.id, synthetic_token(stock.exchange) AS instrument_token
FROM stock JOIN json_to_recordset(%s) AS new (id uuid, instrument_token integer)
    ON stock.instrument_token = new.instrument_token AND stock.id <> new.id
"""
SET_TOKENS = """
UPDATE stock SET instrument_token = new.instrument_token
FROM json_to_recordset(%s) AS new (id uuid, instrument_token integer) WHERE stock.id = new.id
"""


class ImportedFacts(NamedTuple):
    """The facts of a stock that an import brings, None where it brings none."""

    exchange: str
    symbol: str
    tick_size: Decimal | None = None
    lot_size: int | None = None
    allows_intraday: bool | None = None
    session_class: str | None = None
    name: str | None = None
    instrument_token: int | None = None
    isin: str | None = None
    series: str | None = None

    @property
    def are_any(self) -> bool:
        """Return True if any fact is known."""
        return any(value is not None for value in self[2:])


def set_facts(facts: Sequence[ImportedFacts]) -> None:
    """Set the known facts of stocks; the last ones of a stock count, and unknown facts stay as they are.

    A stock that had the instrument token of another one gets a new token.
    """
    known = {(one.exchange, one.symbol): one for one in facts if one.are_any}
    if not known:
        return
    stock_ids = ensure_stocks(set(known))
    rows = [{"id": stock_ids[pair], **one._asdict()} for pair, one in known.items()]
    for start in range(0, len(rows), STOCKS_PER_TRANSACTION):
        _set(rows[start : start + STOCKS_PER_TRANSACTION])


@transactional
def _set(rows: list[dict[str, Any]]) -> None:
    tokens = _given_tokens(rows)
    stock_ids = {row["id"] for row in rows} | (_holders(tokens) if tokens else set())
    lock_exclusive(stock_ids)
    lock_stocks(stock_ids)
    if tokens:
        given = [{"id": stock_id, "instrument_token": token} for token, stock_id in tokens.items()]
        freed = fetch_all(NEW_TOKENS, (json.dumps(given, default=str),))
        if freed:
            execute(SET_TOKENS, (json.dumps(freed, default=str),))
    execute(SET_FACTS, (json.dumps(rows, default=str),))


def _given_tokens(rows: list[dict[str, Any]]) -> dict[int, UUID]:
    """Return the stocks by the tokens that they get; the last of two with the same token gets it, the other none."""
    tokens: dict[int, UUID] = {row["instrument_token"]: row["id"] for row in rows if row["instrument_token"]}
    for row in rows:
        if tokens.get(row["instrument_token"]) != row["id"]:
            row["instrument_token"] = None
    return tokens


def _holders(tokens: Iterable[int]) -> set[UUID]:
    """Return the stocks that have one of these tokens."""
    return {row["id"] for row in fetch_all(HOLDERS, (array_of(tokens),))}
