"""Changes of stocks that are no quotes: the facts that imports bring, and deactivation.

They take the same locks as quotes, so that no order is judged on half of a change.
"""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from models.database import execute, fetch_all, transactional
from trading.market.quotes import lock_stocks
from trading.market.stocks import ensure_stocks
from trading.matching.buckets import lock_exclusive
from trading.matching.feed import STOCKS_PER_TRANSACTION

SET_FACTS = """
UPDATE stock SET tick_size = coalesce(new.tick_size, stock.tick_size),
    lot_size = coalesce(new.lot_size, stock.lot_size),
    allows_intraday = coalesce(new.allows_intraday, stock.allows_intraday),
    session_class = coalesce(new.session_class, stock.session_class), name = coalesce(new.name, stock.name)
FROM json_to_recordset(%s) AS new (id uuid, tick_size numeric, lot_size integer, allows_intraday boolean,
    session_class text, name text)
WHERE stock.id = new.id
"""
DEACTIVATE = "UPDATE stock SET is_active = false, is_usable = false WHERE id = ANY(%s::uuid[])"
RESTING = """
SELECT id FROM trading_order WHERE stock_id = ANY(%s::uuid[]) AND status = 'OPEN' AND matched_at IS NULL ORDER BY id
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

    @property
    def are_any(self) -> bool:
        """Return True if any fact is known."""
        return any(value is not None for value in self[2:])


def set_facts(facts: Sequence[ImportedFacts]) -> None:
    """Set the known facts of stocks; the last ones of a stock count, and unknown facts stay as they are."""
    known = {(one.exchange, one.symbol): one for one in facts if one.are_any}
    if not known:
        return
    stock_ids = ensure_stocks(set(known))
    rows = [{"id": stock_ids[pair], **one._asdict()} for pair, one in known.items()]
    for start in range(0, len(rows), STOCKS_PER_TRANSACTION):
        _set(rows[start : start + STOCKS_PER_TRANSACTION])


@transactional
def _set(rows: list[dict[str, Any]]) -> None:
    stock_ids = [row["id"] for row in rows]
    lock_exclusive(stock_ids)
    lock_stocks(stock_ids)
    execute(SET_FACTS, (json.dumps(rows, default=str),))


@transactional
def deactivate_stocks(stock_ids: Sequence[UUID]) -> list[UUID]:
    """Deactivate up to STOCKS_PER_TRANSACTION stocks; return their resting orders, which the caller must end.

    No order of the stocks can open meanwhile, and none that opens later finds a usable quote. The orders end with the
    reason stock_inactive afterwards, because whoever holds a bucket may not wait for an account.
    """
    lock_exclusive(stock_ids)
    lock_stocks(stock_ids)
    execute(DEACTIVATE, (list(stock_ids),))
    return [row["id"] for row in fetch_all(RESTING, (list(stock_ids),))]
