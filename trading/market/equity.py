"""The equity of an account over time: from its ledger, its trades and the recorded prices."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

from models.database import fetch_all, fetch_one, snapshot
from trading.accounts.ledgers import first_entry_since
from trading.events.retention import PRICES_KEPT_DAYS
from trading.market.recorded_prices import values_of
from trading.rules.equity import EquityPoint, Flow, Stake, follow, profit_flow, trade_flow
from trading.rules.errors import NotFound
from trading.rules.money import ZERO

# Times at which intervals end are full minutes, full hours and midnights of Indian time, which is the same all year.
ORIGIN = datetime(1999, 12, 31, 18, 30, tzinfo=UTC)
MAX_POINTS = 1_500
# Each takes the database some 2 µs.
MAX_PRICES = 1_000_000
# An hour's price is that of a minute, so it is kept no longer; the last price of each day is kept for ever.
KEPT = timedelta(days=PRICES_KEPT_DAYS)

# An account is created by the machine's clock, its entries by the market's.
ACCOUNT = """
SELECT balance, market_now() AS now, least(created_at, (
    SELECT created_at FROM fund_transaction WHERE account_id = account.id ORDER BY id LIMIT 1)) AS began_at
FROM account WHERE id = %s
"""
STAKES = """
SELECT stock_id, last_price, sum(quantity)::bigint AS quantity, sum(sign(quantity::numeric) * cost) AS cost
FROM position JOIN stock ON stock.id = stock_id WHERE account_id = %s AND quantity <> 0 GROUP BY stock_id, last_price
"""
STRETCH = "date_bin(%(step)s, {}, %(origin)s) AS stretch"
# A profit belongs to a position, and with it to a stock; the margin changes no balance.
ENTRIES = f"""
SELECT {STRETCH.format("fund_transaction.created_at")}, stock_id,
    sum(amount * CASE WHEN kind IN ('DEPOSIT', 'CHARGES_REFUND', 'PROFIT', 'ADJUST_CREDIT') THEN 1 ELSE -1 END)
        AS amount
FROM fund_transaction LEFT JOIN position ON position.id = position_id AND kind IN ('PROFIT', 'LOSS')
WHERE fund_transaction.account_id = %(account_id)s AND fund_transaction.id >= %(first_entry)s
    AND kind NOT IN ('MARGIN_BLOCK', 'MARGIN_RELEASE')
GROUP BY 1, 2
"""
TRADES = f"""
SELECT {STRETCH.format("executed_at")}, stock_id,
    sum(CASE side WHEN 'BUY' THEN filled_quantity ELSE -filled_quantity END)::bigint AS quantity,
    sum(CASE side WHEN 'BUY' THEN filled_quantity ELSE -filled_quantity END * average_price) AS value
FROM trading_order WHERE account_id = %(account_id)s AND status = 'EXECUTED' AND executed_at >= %(start)s
GROUP BY 1, 2
"""
WRITE_OFFS = f"""
SELECT {STRETCH.format("changed_at")}, stock_id, change.quantity, sign(change.quantity::numeric) * change.cost AS cost
FROM position_change AS change JOIN position ON position.id = from_position
WHERE change.account_id = %(account_id)s AND kind = 'RESET' AND changed_at >= %(start)s
"""


class BadRange(Exception):
    """A range that cannot be answered, with the reason."""


class Range(NamedTuple):
    """The step of a curve with its usual length, and the times from which and to which it was asked for."""

    step: timedelta
    usual_length: timedelta
    since: datetime | None = None
    until: datetime | None = None

    def times(self, now: datetime) -> list[datetime]:
        """Return the times of the points, the first one first; raises BadRange."""
        last = now if self.until is None else min(self.until, now)
        if last < ORIGIN or (self.since is not None and self.since > last):
            return []
        first = last - self.usual_length if self.since is None else self.since
        steps = -((ORIGIN - first) // self.step)  # rounded up
        if (last - first) / self.step > MAX_POINTS:
            raise BadRange(f"Must be at most {MAX_POINTS:,} intervals before the end.")
        if self.step < timedelta(days=1) and first < now - KEPT - timedelta(days=1):
            raise BadRange(f"Must be at most {KEPT.days} days ago; older prices are kept for 1d only.")
        times = []
        while (at := ORIGIN + steps * self.step) <= last:
            times.append(at)
            steps += 1
        return times


class HeldStock(TypedDict):
    """A row of STAKES."""

    stock_id: UUID
    last_price: Decimal | None
    quantity: int
    cost: Decimal


def equity_curve(account_id: UUID, asked: Range) -> list[EquityPoint]:
    """Return the points of an account at the ends of intervals, the oldest first, and at last one of the present.

    There is none before the account's beginning, and none of the present if the range ends before it. Raises NotFound
    and BadRange.
    """
    with snapshot():
        account = fetch_one(ACCOUNT, (account_id,))
        if account is None:
            raise NotFound
        times = [at for at in asked.times(account["now"]) if at >= account["began_at"]]
        rows = fetch_all(STAKES, (account_id,), HeldStock)
        stakes = {row["stock_id"]: Stake(row["quantity"], row["cost"]) for row in rows}
        points = _points(account_id, account["balance"], stakes, times, asked.step) if times else []
    if asked.until is None or asked.until >= account["now"]:
        present = sum((stakes[row["stock_id"]].unrealized_pnl(row["last_price"]) for row in rows), ZERO)
        points.append(EquityPoint(account["now"], account["balance"], present))
    return points


def _points(
    account_id: UUID, balance: Decimal, stakes: Mapping[UUID, Stake], times: Sequence[datetime], step: timedelta
) -> list[EquityPoint]:
    balances, stretches = follow(balance, stakes, _flows(account_id, times[0], step), times)
    if sum((stretch.last - stretch.first) / step + 1 for stretch in stretches) > MAX_PRICES:
        raise BadRange("Needs too many prices for so many stocks: ask for a shorter range, or for longer intervals.")
    values = values_of(stretches, step)
    return [EquityPoint(at, balance, values.get(at, ZERO)) for at, balance in zip(times, balances, strict=True)]


def _flows(account_id: UUID, start: datetime, step: timedelta) -> Iterator[Flow]:
    """Yield the flows since a time."""
    asked: dict[str, Any] = {"account_id": account_id, "start": start, "step": step, "origin": ORIGIN}
    asked["first_entry"] = first_entry_since(account_id, start)
    for row in fetch_all(ENTRIES, asked):
        if row["stock_id"] is None:
            yield Flow(row["stretch"], balance=row["amount"])
        else:
            yield profit_flow(row["stretch"], row["stock_id"], row["amount"])
    for row in fetch_all(TRADES, asked):
        yield trade_flow(row["stretch"], row["stock_id"], row["quantity"], row["value"])
    for row in fetch_all(WRITE_OFFS, asked):
        yield Flow(row["stretch"], stock_id=row["stock_id"], quantity=-row["quantity"], cost=-row["cost"])
