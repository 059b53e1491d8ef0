"""The deactivation of stocks, for which the product has no command."""

from collections.abc import Sequence
from uuid import UUID

from models.database import execute, fetch_all, transactional
from models.spanning import each_in_transaction
from trading.market.quotes import lock_stocks
from trading.matching.buckets import lock_exclusive

DEACTIVATE = "UPDATE stock SET is_active = false, is_usable = false WHERE id = ANY(%s::uuid[])"
RESTING = """
SELECT id FROM trading_order WHERE stock_id = ANY(%s::uuid[]) AND status = 'OPEN' AND matched_at IS NULL ORDER BY id
"""


@transactional
def deactivate_stocks(stock_ids: Sequence[UUID]) -> list[UUID]:
    """Deactivate up to STOCKS_PER_TRANSACTION stocks; return their resting orders, which the caller must end.

    No order of the stocks can open meanwhile, and none that opens later finds a usable quote. The orders end with the
    reason stock_inactive afterwards, because whoever holds a bucket may not wait for an account.
    """
    lock_exclusive(stock_ids)
    lock_stocks(stock_ids)
    execute(DEACTIVATE, (list(stock_ids),))
    return [row["id"] for _ in each_in_transaction() for row in fetch_all(RESTING, (list(stock_ids),))]
