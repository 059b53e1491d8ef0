"""Select orders of an account: the filters of its list, and of the cancellation of many orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from trading.orders.order_statements import ORDERS

# The index order_changed_late has the orders that changed later than this after their placement.
LATE = timedelta(days=1)
# Orders that changed at or after a time: those placed at most a day before it, and the late ones. Each part has an
# index; without the two parts a list would walk through all that the account ever placed. Each is sorted by itself, so
# that a page can merge their beginnings. At most it reads the orders since that time.
CHANGED_ORDERS = f"""
WITH late AS MATERIALIZED (
    {ORDERS} WHERE account_id = %s AND updated_at >= %s AND updated_at - placed_at > interval '1 day')
SELECT * FROM (
    SELECT * FROM (
        {ORDERS} WHERE account_id = %s AND placed_at >= %s AND updated_at >= %s
            AND updated_at - placed_at <= interval '1 day' ORDER BY placed_at DESC, id DESC) AS recent
    UNION ALL SELECT * FROM (SELECT * FROM late ORDER BY placed_at DESC, id DESC) AS sorted) AS trading_order
"""


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """The filters of orders, each None for all orders; the times begin a range, but placed_before ends one."""

    statuses: Sequence[str] | None = None
    exchange: str | None = None
    symbol: str | None = None
    side: str | None = None
    product: str | None = None
    tag: str | None = None
    client_order_id: str | None = None
    placed_from: datetime | None = None
    placed_before: datetime | None = None
    updated_from: datetime | None = None

    def select(self, account_id: UUID) -> tuple[str, list[Any]]:
        """Return the start of a query, to which the conditions are added, and its parameters."""
        since = self.updated_from
        if since is None:
            return ORDERS, []
        return CHANGED_ORDERS, [account_id, since, account_id, _a_day_before(since), since]

    def conditions(self, account_id: UUID) -> Mapping[str, Any]:
        """Return the conditions of the query with their parameters; those whose parameter is None are left out."""
        return {
            "account_id = %s": account_id,
            "status = ANY(%s)": None if self.statuses is None else list(self.statuses),
            "exchange = %s": self.exchange,
            "symbol = %s": self.symbol,
            "side = %s": self.side,
            "product = %s": self.product,
            "tag = %s": self.tag,
            "client_order_id = %s": self.client_order_id,
            "placed_at >= %s": self.placed_from,
            "placed_at < %s": self.placed_before,
        }


def _a_day_before(moment: datetime) -> datetime:
    """Return the time a day earlier, or the first one that there is."""
    first = datetime.min.replace(tzinfo=moment.tzinfo)
    return moment - LATE if moment - first > LATE else first
