"""Convert bought shares of an account between INTRADAY and DELIVERY."""

from datetime import datetime
from typing import NamedTuple, cast
from uuid import UUID

from config import settings
from models.database import fetch_all, fetch_one, transactional
from models.identifiers import new_id
from models.rows import PositionChangeRow, PositionRow
from trading.accounts.idempotency import IdempotencyKey, find_answer, keep_answer
from trading.accounts.ledgers import lock_ledgers, save_ledgers
from trading.accounts.position_rows import LockedPosition, insert_positions, update_positions
from trading.accounts.shares import within_share
from trading.day.changes import note_conversion
from trading.events import publishing
from trading.execution.position_days import buckets_on, figures_on
from trading.market import calendars
from trading.rules import day_figures, settlement
from trading.rules.conversion import Conversion, convert, convertible, other_product
from trading.rules.errors import (
    AccountSuspended,
    InsufficientMargin,
    IntradayNotAllowed,
    NotConvertible,
    NotFound,
)
from trading.rules.fills import Holding
from trading.rules.ledger import AccountLedger
from trading.rules.money import ZERO
from trading.rules.order_sessions import check_square_off, session_for
from trading.rules.sessions import indian_day
from trading.rules.terms import AccountStatus, LedgerKind, Product

# Both positions of the stock, if there is the named one.
POSITIONS = """
SELECT position.*, allows_intraday, session_class, market_now() AS read_at
FROM position JOIN stock ON stock.id = position.stock_id JOIN account ON account.id = position.account_id
WHERE account_id = %(account)s AND stock_id = (
    SELECT stock_id FROM position WHERE id = %(position)s AND account_id = %(account)s)
ORDER BY position.id FOR NO KEY UPDATE OF position
"""
PROMISED = """
SELECT coalesce(sum(closing_quantity), 0)::bigint AS quantity FROM trading_order
WHERE account_id = %s AND stock_id = %s AND product = %s AND side = 'SELL' AND status IN ('PENDING', 'OPEN')
"""


class StockPosition(PositionRow):
    """A position's row with facts of its account and its stock, and the time at which it was read."""

    allows_intraday: bool
    session_class: str
    read_at: datetime


class Pair(NamedTuple):
    """The position that gives, with its row, and the one that gets."""

    row: StockPosition
    source: LockedPosition
    target: LockedPosition
    to_product: Product


@within_share
def convert_position(
    account_id: UUID,
    position_id: UUID,
    quantity: int | None,
    *,
    calendar: str | None,
    idempotency_key: IdempotencyKey | None = None,
) -> tuple[PositionChangeRow, bool]:
    """Convert a quantity of a position, by default all that may be converted.

    Return the change's row, and True if it is the answer to an earlier request with the same key.

    Raises NotFound, AccountSuspended, MarketClosed, SquareOffPassed, IntradayNotAllowed, NotConvertible,
    InsufficientMargin, or an error of the key.
    """
    change, is_replay = _convert(account_id, position_id, quantity, calendar, idempotency_key)
    if not is_replay:
        publishing.nudge([account_id])
    return change, is_replay


@transactional
def _convert(
    account_id: UUID, position_id: UUID, quantity: int | None, calendar: str | None, key: IdempotencyKey | None
) -> tuple[PositionChangeRow, bool]:
    answer = find_answer(account_id, key)
    if answer is not None:
        return cast(PositionChangeRow, answer), True
    ledger = lock_ledgers([account_id]).get(account_id)
    if ledger is None:
        raise NotFound
    pair = _lock_pair(account_id, position_id)
    _check(ledger, pair, calendar)
    quantity = _chosen(pair, quantity)
    conversion = convert(pair.source.holding, pair.target.holding, quantity, pair.to_product)
    if conversion.margin_change > max(ZERO, ledger.available_margin):
        raise InsufficientMargin(required=conversion.margin_change, available=ledger.available_margin)
    _write(ledger, pair, quantity, conversion)
    change = note_conversion(account_id, pair.source.id, pair.target.id, quantity, conversion.cost)
    keep_answer(account_id, key, "position_change", change["id"])
    return change, False


def _lock_pair(account_id: UUID, position_id: UUID) -> Pair:
    found = fetch_all(POSITIONS, {"account": account_id, "position": position_id}, StockPosition)
    rows = {row["id"]: row for row in found}
    if position_id not in rows:
        raise NotFound
    row = rows.pop(position_id)
    target = next(iter(rows.values()), None)
    locked = LockedPosition(new_id(), Holding()) if target is None else LockedPosition.of_row(target)
    return Pair(row, LockedPosition.of_row(row), locked, other_product(row["product"]))


def _check(ledger: AccountLedger, pair: Pair, calendar: str | None) -> None:
    if ledger.status != AccountStatus.ACTIVE:
        raise AccountSuspended
    now, row = pair.row["read_at"], pair.row
    at = settings().square_off_time
    session = session_for(calendars.days(calendar), row["session_class"], now, square_off_time=at)
    # To the square-off a conversion to INTRADAY is an order that opens.
    check_square_off(session, now, product=pair.to_product, opens=True)
    if pair.to_product == Product.INTRADAY and not pair.row["allows_intraday"]:
        raise IntradayNotAllowed


def _chosen(pair: Pair, quantity: int | None) -> int:
    """Return the quantity to convert, and let both positions be of the present day; raises NotConvertible."""
    row, day = pair.row, indian_day(pair.row["read_at"])
    for position in (pair.source, pair.target):
        position.figures = figures_on(position, day)
    delivery = pair.target if pair.to_product == Product.DELIVERY else pair.source
    delivery.buckets = buckets_on(delivery, day)
    promised = fetch_one(PROMISED, (row["account_id"], row["stock_id"], row["product"]))
    assert promised is not None
    possible = convertible(
        pair.source.holding,
        pair.target.holding,
        pair.source.buckets,
        promised=promised["quantity"],
        allow_t1_sales=settings().allow_t1_sales,
    )
    if possible < (quantity or 1):
        raise NotConvertible(convertible=possible)
    return quantity or possible


def _write(ledger: AccountLedger, pair: Pair, quantity: int, conversion: Conversion) -> None:
    """Write both positions, and settle the margin by one ledger entry of the position that gets."""
    source, target, row = pair.source, pair.target, pair.row
    source.holding, target.holding = conversion.source, conversion.target
    assert source.figures is not None
    assert target.figures is not None
    source.figures, target.figures = day_figures.moved(source.figures, target.figures, quantity)
    if source.buckets is not None:
        source.buckets = settlement.taken_back(source.buckets, quantity)
    if target.buckets is not None:
        target.buckets = settlement.bought(target.buckets, quantity)
    if target.row is None:
        identity = (target.id, row["account_id"], row["stock_id"], pair.to_product, row["exchange"], row["symbol"])
        insert_positions([(*identity, *target.values)], pair.to_product)
    else:
        update_positions([(row["account_id"], target)], pair.to_product)
    update_positions([(row["account_id"], source)], other_product(pair.to_product))
    kind = LedgerKind.MARGIN_BLOCK if conversion.margin_change > 0 else LedgerKind.MARGIN_RELEASE
    ledger.post(kind, abs(conversion.margin_change), position_id=target.id)
    save_ledgers([ledger])
