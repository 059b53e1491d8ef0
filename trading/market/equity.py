"""The equity of an account over time: from its ledger, its trades and the recorded prices."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from models.database import DatabaseUnavailable, fetch_all, fetch_one, snapshot, sqlstate
from trading.accounts.ledgers import first_entry_since
from trading.accounts.portfolio import find_valued_account
from trading.accounts.shares import within_share
from trading.events.retention import PRICES_KEPT_DAYS
from trading.market.recorded_prices import PRICE_AT
from trading.rules.equity import EquityPoint, points_back
from trading.rules.errors import NotFound

# Times at which intervals end are full minutes, full hours and midnights of Indian time, which is the same all year.
ORIGIN = datetime(1999, 12, 31, 18, 30, tzinfo=UTC)
MAX_POINTS = 1_500
# An hour's price is that of a minute, so it is kept no longer; the last price of each day is kept for ever.
KEPT = timedelta(days=PRICES_KEPT_DAYS)
QUERY_CANCELLED = "57014"  # by the time limit of statements
# An account is created by the machine's clock, its entries by the market's. Nothing tells of months that are detached.
ACCOUNT = """
SELECT balance, market_now() AS now, greatest(least(created_at, (
    SELECT created_at FROM fund_transaction WHERE account_id = account.id ORDER BY id LIMIT 1)),
    (SELECT max(ended_at) FROM detached_month)) AS began_at
FROM account WHERE id = %s
"""
# The interval in which a time lies, by its beginning.
INTERVAL = "date_bin(%(step)s, {}, %(origin)s)"
BALANCES = f"""
SELECT {INTERVAL.format("created_at")} AS at,
    sum(amount * CASE WHEN kind IN ('DEPOSIT', 'CHARGES_REFUND', 'PROFIT', 'ADJUST_CREDIT') THEN 1 ELSE -1 END)
        AS amount
FROM fund_transaction
WHERE account_id = %(account_id)s AND id >= %(first_entry)s AND kind NOT IN ('MARGIN_BLOCK', 'MARGIN_RELEASE')
GROUP BY 1
"""
# A stake is what an account holds of a stock in all products together: its signed quantity, and its signed cost, which
# is the purchases less the sales with the realised profit. A flow changes it: at the end of its interval it is there.
# Before all flows a stake is the present one less all of them; the window sums them up from there.
VALUES = f"""
WITH flow AS MATERIALIZED (
    SELECT at, stock_id, sum(quantity) AS quantity, sum(cost) AS cost FROM (
        SELECT {INTERVAL.format("executed_at")} AS at, stock_id, traded AS quantity, traded * average_price AS cost
        FROM trading_order CROSS JOIN LATERAL (
            SELECT CASE side WHEN 'BUY' THEN filled_quantity ELSE -filled_quantity END AS traded) AS signed
        WHERE account_id = %(account_id)s AND status = 'EXECUTED' AND executed_at >= %(first)s
        UNION ALL
        SELECT {INTERVAL.format("entry.created_at")}, stock_id, 0, CASE kind WHEN 'PROFIT' THEN amount ELSE -amount END
        FROM fund_transaction AS entry
        JOIN position ON position.id = position_id AND (position.account_id = entry.account_id) IS TRUE
        WHERE entry.account_id = %(account_id)s AND entry.id >= %(first_entry)s AND kind IN ('PROFIT', 'LOSS')
        UNION ALL
        SELECT {INTERVAL.format("changed_at")}, stock_id, -change.quantity,
            -sign(change.quantity::numeric) * change.cost
        FROM position_change AS change
        JOIN position ON position.id = from_position AND (position.account_id = change.account_id) IS TRUE
        WHERE change.account_id = %(account_id)s AND kind = 'RESET' AND changed_at >= %(first)s) AS told
    GROUP BY 1, 2),
present AS (
    SELECT stock_id, sum(quantity) AS quantity, sum(sign(quantity::numeric) * cost) AS cost
    FROM position WHERE account_id = %(account_id)s AND quantity <> 0 GROUP BY 1),
change AS (
    SELECT stock_id, %(first)s::timestamptz AS since, sum(quantity) AS quantity, sum(cost) AS cost
    FROM (TABLE present UNION ALL SELECT stock_id, -quantity, -cost FROM flow) AS begin GROUP BY 1
    UNION ALL SELECT stock_id, at + %(step)s, quantity, cost FROM flow),
stake AS (
    SELECT stock_id, since, lead(since) OVER stock - %(step)s AS until,
        sum(quantity) OVER stock AS quantity, sum(cost) OVER stock AS cost
    FROM change WINDOW stock AS (PARTITION BY stock_id ORDER BY since))
SELECT at, sum(quantity * price - cost) AS amount
FROM stake CROSS JOIN LATERAL generate_series(since, least(until, %(last)s), %(step)s) AS at
CROSS JOIN LATERAL ({PRICE_AT}) AS newest
WHERE (quantity, cost) <> (0, 0) GROUP BY at
"""
# An account that has traded many stocks all the time.
TOO_MUCH = "Takes too long for so many trades: ask for a shorter range, or for longer intervals."


class BadRange(Exception):
    """A range that cannot be answered, with the reason."""


class Range(NamedTuple):
    """The step of a curve with its usual length, and the times from which and to which it was asked for."""

    step: timedelta
    usual_length: timedelta
    since: datetime | None = None
    until: datetime | None = None

    def covers(self, now: datetime) -> bool:
        """Return True if the present is in the range."""
        return (self.since is None or self.since <= now) and (self.until is None or self.until >= now)

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


@within_share
def equity_curve(account_id: UUID, asked: Range) -> list[EquityPoint]:
    """Return the points of an account at the ends of intervals, the oldest first, and at last one of the present.

    There is none before the account's beginning, and none of the present if it is outside the range. Raises NotFound
    and BadRange.
    """
    try:
        return _curve(account_id, asked)
    except DatabaseUnavailable as error:
        if sqlstate(error) == QUERY_CANCELLED:
            raise BadRange(TOO_MUCH) from None
        raise


def _curve(account_id: UUID, asked: Range) -> list[EquityPoint]:
    with snapshot():
        account = fetch_one(ACCOUNT, (account_id,))
        if account is None:
            raise NotFound
        times = [at for at in asked.times(account["now"]) if at >= account["began_at"]]
        points = _points(account_id, account["balance"], times, asked.step) if times else []
        valued = find_valued_account(account_id)
    if valued is not None and asked.covers(account["now"]):
        points.append(EquityPoint(account["now"], valued["balance"], valued["unrealized_pnl"]))
    return points


def _points(account_id: UUID, balance: Decimal, times: list[datetime], step: timedelta) -> list[EquityPoint]:
    about: dict[str, Any] = {"account_id": account_id, "first": times[0], "last": times[-1], "step": step}
    about |= {"origin": ORIGIN, "first_entry": first_entry_since(account_id, times[0])}
    changes, values = (
        {row["at"]: row["amount"] for row in fetch_all(statement, about)} for statement in (BALANCES, VALUES)
    )
    return points_back(balance, changes, values, times, step)
