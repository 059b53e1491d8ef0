"""Closing orders that no quote could fill before the close: the session's last price matches them afterwards."""

import json
from collections.abc import Sequence
from uuid import UUID

from models.database import array_of, execute, fetch_all, transactional
from models.rows import OrderRow, StockRow
from runtime import metrics
from trading.accounts.ledgers import lock_free_ledgers
from trading.day.closing_orders import stocks_of
from trading.execution.second_look import OrderAndStock
from trading.matching import buckets
from trading.rules.quotes import Quote
from trading.rules.square_off import SquareOff, price_at_close
from trading.rules.terms import FillRule

LOCK = """
SELECT * FROM trading_order
WHERE id = ANY(%s::uuid[]) AND (status IN ('PENDING', 'OPEN') AND matched_at IS NULL AND origin = 'SQUARE_OFF'
    AND fill_model = 'QUOTES') IS TRUE
ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""
MATCH = """
UPDATE trading_order SET status = 'OPEN', match_sequence = new.match_sequence, match_class = 1,
    match_price = new.price, matched_at = now, due_at = now, fill = new.fill, waiting_for = NULL
FROM json_to_recordset(%(rows)s) AS new (id uuid, account_id uuid, match_sequence bigint, price numeric, fill jsonb),
    market_now() AS now
WHERE trading_order.id = new.id AND trading_order.id = ANY(%(ids)s::uuid[])
    AND (trading_order.account_id = new.account_id) IS TRUE
"""


def match_at_close(of: SquareOff, orders: Sequence[OrderAndStock]) -> list[UUID]:
    """Match closing orders of a session that has closed at its last price, and return the matched orders.

    Orders that are busy, and those of stocks without a price, are left.
    """
    if not orders:
        return []
    matched = _match(of, orders)
    metrics.count_square_off("at_close", len(matched))
    return matched


@transactional
def _match(of: SquareOff, orders: Sequence[OrderAndStock]) -> list[UUID]:
    # A quote that came before has matched what it reaches.
    buckets.lock_shared(order.stock_id for order in orders)
    found = fetch_all(LOCK, (array_of(order.order_id for order in orders),), OrderRow)
    # A PENDING order becomes OPEN, and that is an event of its account.
    ledgers = lock_free_ledgers(order["account_id"] for order in found)
    stocks = stocks_of(row["stock_id"] for row in found)
    prices = {stock_id: price_at_close(stock, of) for stock_id, stock in stocks.items()}
    priced = [row for row in found if row["account_id"] in ledgers and prices[row["stock_id"]] is not None]
    if not priced:
        return []
    used = list(dict.fromkeys(order["stock_id"] for order in priced))
    numbers = dict(zip(used, buckets.next_match_numbers(len(used)), strict=True))
    rows = [
        {
            "id": order["id"],
            "account_id": order["account_id"],
            "match_sequence": numbers[order["stock_id"]],
            "price": prices[order["stock_id"]],
            "fill": _evidence(stocks[order["stock_id"]], of),
        }
        for order in priced
    ]
    ids = [order["id"] for order in priced]
    execute(MATCH, {"rows": json.dumps(rows, default=str), "ids": array_of(ids)})
    return ids


def _evidence(stock: StockRow, of: SquareOff) -> dict[str, object]:
    quote = Quote(
        number=stock["quote_number"],
        usable_number=stock["usable_number"],
        bid=None,
        ask=None,
        last=price_at_close(stock, of),
        quoted_at=stock["quoted_at"],
        is_usable=False,
    )
    return quote.evidence(FillRule.CLOSE_PRICE)
