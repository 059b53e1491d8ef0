"""Place the closing orders of a square-off: MARKET orders that only close, under the locks of their accounts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypedDict
from uuid import UUID

from models.database import array_of, execute, fetch_all, transactional
from models.identifiers import new_id
from models.rows import StockRow
from runtime.logs import get_logger
from runtime.order_log import log_order_at_commit
from trading.accounts.ledgers import lock_free_ledgers, save_ledgers, write_rows
from trading.day.square_off_rows import CARRIED, LIVE, OF_SESSION, PAIRS, PREPARE, Pair, parameters_of
from trading.events import publishing
from trading.execution.second_look import OrderAndStock
from trading.rules.charges import Charges, charges_for
from trading.rules.decision import MAX_QUANTITY, OrderRequest
from trading.rules.errors import NoPrice
from trading.rules.margin import closing_quantity
from trading.rules.money import average_price
from trading.rules.quotes import quote_of_stock
from trading.rules.reservation import assumed_price
from trading.rules.sessions import indian_day
from trading.rules.square_off import SquareOff
from trading.rules.terms import FillModel, LedgerKind, OrderType, Product, Side

# Read under the accounts' locks: no order is placed meanwhile. After the next opening a client's later orders may have
# the promise of a part.
CLOSABLE = f"""
{PREPARE}
SELECT position.id, position.account_id, position.stock_id, exchange, symbol, position.quantity, cost, orders,
    ({CARRIED}) AS carried, promised, fill_model, market_now() AS read_at
FROM {PAIRS}
JOIN account ON account.id = pair.account_id
JOIN square_off ON square_off.account_id = pair.account_id AND square_off.stock_id = pair.stock_id
    AND square_off.day = %(day)s AND square_off.finished_at IS NULL
JOIN position ON position.account_id = pair.account_id AND position.stock_id = pair.stock_id
    AND position.product = 'INTRADAY'
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(origin = 'SQUARE_OFF' OR {OF_SESSION}), false) AS is_blocked,
        coalesce(sum(closing_quantity) FILTER (WHERE (side = 'SELL') = (position.quantity > 0)), 0) AS promised
    FROM trading_order WHERE trading_order.account_id = pair.account_id AND trading_order.stock_id = pair.stock_id
        AND {LIVE}) AS live
WHERE ({CARRIED}) <> 0 AND NOT is_blocked AND pair.account_id = ANY(%(locked)s::uuid[])
ORDER BY position.id
"""
STOCKS = "SELECT * FROM stock WHERE id = ANY(%s::uuid[])"
INSERT = """
INSERT INTO trading_order (id, account_id, stock_id, exchange, symbol, client_order_id, side, product, order_type,
    quantity, closing_quantity, blocked_margin, charges, charge_items, fill_model, origin, placed_at, due_at)
VALUES %s
"""
ORDER = """(%s, %s, %s, %s, %s, %s, %s, 'INTRADAY', 'MARKET', %s, %s, 0, %s, %s::jsonb, %s, 'SQUARE_OFF',
    %s::timestamptz, %s::timestamptz)"""
COUNT = """
UPDATE square_off SET orders = orders + 1 FROM unnest(%(accounts)s::uuid[], %(stocks)s::uuid[])
    AS pair (account_id, stock_id)
WHERE square_off.account_id = pair.account_id AND square_off.stock_id = pair.stock_id AND day = %(day)s
"""

logger = get_logger(__name__)


class Closable(TypedDict):
    """A position that can be closed: its signed quantities, the closing orders before, and the promised quantity."""

    id: UUID
    account_id: UUID
    stock_id: UUID
    exchange: str
    symbol: str
    quantity: int
    carried: int
    cost: Decimal
    orders: int
    promised: int
    fill_model: str
    read_at: datetime


def place_closing_orders(of: SquareOff, pairs: Sequence[Pair], fee: Decimal) -> list[OrderAndStock]:
    """Place an order for each open position without live orders of the session, and return the orders.

    Accounts that others have locked are left. A position beyond the largest order gets the rest later.
    """
    placed = _place(of, pairs, fee)
    publishing.nudge({pair.account_id for pair, _ in placed})
    return [OrderAndStock(order_id, pair.stock_id) for pair, order_id in placed]


@transactional
def _place(of: SquareOff, pairs: Sequence[Pair], fee: Decimal) -> list[tuple[Pair, UUID]]:
    ledgers = lock_free_ledgers(pair.account_id for pair in pairs)
    if not ledgers:
        return []
    parameters = parameters_of(of, pairs) | {"locked": array_of(ledgers)}
    positions = [row for row in fetch_all(CLOSABLE, parameters, Closable) if _quantity(row) > 0]
    if not positions:
        return []
    stocks = {
        row["id"]: row for row in fetch_all(STOCKS, (array_of({row["stock_id"] for row in positions}),), StockRow)
    }
    placed, rows = list[tuple[Pair, UUID]](), list[tuple[Any, ...]]()
    for position in positions:
        order_id, stock = new_id(), stocks[position["stock_id"]]
        charges = _charges(position, stock, fee)
        rows.append(_row(order_id, position, charges, of, _fill_model(position, stock)))
        ledgers[position["account_id"]].post(LedgerKind.CHARGES, charges.total, order_id=order_id)
        placed.append((Pair(position["account_id"], position["stock_id"]), order_id))
        _log_at_commit(order_id, position)
    write_rows(INSERT, rows, ORDER)
    save_ledgers(ledgers.values())
    execute(COUNT, parameters_of(of, [pair for pair, _ in placed]))
    return placed


def _log_at_commit(order_id: UUID, position: Closable) -> None:
    order = {**position, "id": order_id, "side": str(_side(position)), "quantity": _quantity(position)}
    kind = {"order_type": str(OrderType.MARKET), "product": str(Product.INTRADAY)}
    log_order_at_commit(logger, "order_placed", {**order, **kind}, origin="SQUARE_OFF")


def stocks_of(stock_ids: Iterable[UUID]) -> dict[UUID, StockRow]:
    """Return the rows of stocks by id; needs an open session."""
    return {row["id"]: row for row in fetch_all(STOCKS, (array_of(set(stock_ids)),), StockRow)}


def _side(position: Closable) -> Side:
    return Side.SELL if position["quantity"] > 0 else Side.BUY


def _quantity(position: Closable) -> int:
    """Return the quantity of the closing order, 0 if all that is carried is promised."""
    carried = min(abs(position["carried"]), MAX_QUANTITY)
    promised = int(position["promised"])
    return closing_quantity(side=_side(position), quantity=carried, held=position["quantity"], promised=promised)


def _charges(position: Closable, stock: Mapping[str, Any], fee: Decimal) -> Charges:
    quantity, side, today = _quantity(position), _side(position), indian_day(position["read_at"])
    request = OrderRequest(position["exchange"], position["symbol"], side, quantity)
    try:
        price = assumed_price(request, quote_of_stock(stock, is_usable=False, day=today), opens=False)
    except NoPrice:  # the price of its own fills; the execution posts the difference
        price = average_price(position["cost"], position["quantity"]) or fee
    charges = charges_for(
        exchange=position["exchange"],
        product=Product.INTRADAY,
        side=side,
        turnover=price * quantity,
        on=today,
    )
    return replace(charges, square_off_fee=fee)


def _fill_model(position: Closable, stock: StockRow) -> str:
    """Return the fill model of the closing order: that of the account, but QUOTES to wait for a first price."""
    return FillModel.QUOTES if stock["last_price"] is None else position["fill_model"]


def _row(order_id: UUID, position: Closable, charges: Charges, of: SquareOff, fill_model: str) -> tuple[Any, ...]:
    client_order_id = f"squareoff-{of.day}-{position['id']}"
    if position["orders"]:
        client_order_id += f"-{position['orders'] + 1}"
    quantity, now = _quantity(position), position["read_at"]
    return (
        order_id, position["account_id"], position["stock_id"], position["exchange"], position["symbol"],
        client_order_id, str(_side(position)), quantity, quantity, charges.total, charges.as_json(), str(fill_model),
        now, now,
    )  # fmt: skip
