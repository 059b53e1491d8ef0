"""Gather the sums of months that have ended, so that detaching one of them takes no longer than the change of tables.

A month that ended KEPT_DAYS ago should not change any more. Its clientOrderIds are noted as taken at once; the sums of
its positions wait in a table of their own, since the ledger check still reads the month itself.
"""

import contextlib
import time
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from peewee import IntegrityError

from models import buckets
from models.database import db, execute, fetch_all, fetch_one, session_with_deadline
from models.partitions import BEFORE, Month, NotSplit, alone, attached, has_before, is_split
from runtime.logs import get_logger

# Longer than anything looks back for the present day's figures, settlement and the rules about events (30 days).
KEPT_DAYS = 31

LIVE = "SELECT count(*) AS live FROM {orders} WHERE status IN ('PENDING', 'OPEN')"
# The last entry of each account, by the key of the entries: a month has thousands of entries for each account.
LAST_ENTRIES = """
FROM account CROSS JOIN LATERAL (
    SELECT id AS last_id, balance_after, blocked_after FROM {entries} WHERE account_id = account.id
    ORDER BY id DESC LIMIT 1) AS gone
"""
# Each account's entries must be detached from the first one on: a clock that was set back would leave a gap.
OUT_OF_ORDER = f"""
SELECT count(*) AS accounts {LAST_ENTRIES} CROSS JOIN LATERAL (
    SELECT id AS first_id FROM fund_transaction WHERE account_id = account.id AND created_at >= %(ended_at)s
    ORDER BY id LIMIT 1) AS kept
WHERE first_id < last_id
"""
# One more order changes it, and so does one more entry, since entries count from 1 in each account. A wrong clock may
# put an order into another month than its entries.
MARK = f"SELECT (SELECT count(*) FROM {{orders}}) + (SELECT coalesce(sum(last_id), 0) {LAST_ENTRIES}) AS mark"
GATHERED = "SELECT mark FROM gathered_month WHERE ended_at = %(ended_at)s"
FORGET = "DELETE FROM gathered_position WHERE ended_at = %(ended_at)s"
NOTE = """
INSERT INTO gathered_month (ended_at, mark) VALUES (%(ended_at)s, %(mark)s)
ON CONFLICT (ended_at) DO UPDATE SET mark = excluded.mark
"""
POSITIONS = """
INSERT INTO gathered_position (ended_at, position_id, account_id, quantity, realized_pnl)
SELECT %(ended_at)s, position_id, account_id, sum(quantity), sum(pnl) FROM (
    SELECT position_id, account_id, CASE side WHEN 'BUY' THEN filled_quantity ELSE -filled_quantity END AS quantity,
        0 AS pnl FROM {orders} WHERE status = 'EXECUTED'
    UNION ALL
    SELECT position_id, account_id, 0, CASE kind WHEN 'PROFIT' THEN amount ELSE -amount END
    FROM {entries} WHERE kind IN ('PROFIT', 'LOSS')) AS gone GROUP BY 2, 3
"""
CLIENT_ORDER_IDS = """
INSERT INTO taken_client_order_id (account_id, client_order_id, order_id)
SELECT account_id, client_order_id, id FROM {orders} WHERE client_order_id IS NOT NULL
ON CONFLICT (account_id, client_order_id) DO NOTHING
"""

logger = get_logger(__name__)


class CannotDetach(Exception):
    """A month that cannot be detached now; the message is one line with the reason."""


class Ended(NamedTuple):
    """A month, None for all before the first one, and its end."""

    month: Month | None
    at: datetime

    @property
    def tables(self) -> dict[str, str]:
        """Return its partitions, by the names that the statements have for them."""
        suffix = BEFORE if self.month is None else self.month.suffix
        return {"orders": f"trading_order_{suffix}", "entries": f"fund_transaction_{suffix}"}

    def __str__(self) -> str:
        return str(self.month or "all before the first")


def attached_ends() -> list[Ended]:
    """Return the months that are attached, the oldest first, none of tables that are not split; needs a session."""
    months = attached() if is_split() else []
    before = [Ended(None, months[0].begins_at)] if months and has_before() else []
    return before + [Ended(month, month.following.begins_at) for month in months]


def is_over(ended: Ended) -> bool:
    """Return True if a month ended so long ago that it does not change any more; needs an open session."""
    row = fetch_one("SELECT market_now() AS now")
    assert row is not None
    return bool(ended.at <= row["now"] - timedelta(days=KEPT_DAYS))


def gather_ended() -> None:
    """Gather the sums of each month that has none, and that may be detached once it is the oldest.

    The service may run. A month that cannot be detached yet is left for a later call.
    """
    for _ in buckets.each():
        with session_with_deadline():
            for ended in attached_ends():
                if is_over(ended) and not fetch_all(GATHERED, {"ended_at": ended.at}):
                    with contextlib.suppress(CannotDetach):
                        gather(ended)


def gather(ended: Ended) -> None:
    """Gather the sums of a month in the current bucket unless they are there; raises CannotDetach.

    Needs an open session without a deadline.
    """
    with db.atomic():
        execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")  # holds behind a pooler, too
        be_alone(ended)
        if live := _number(LIVE, ended):
            raise CannotDetach(f"{live} of its orders are PENDING or OPEN")
        if accounts := _number(OUT_OF_ORDER, ended):
            raise CannotDetach(f"{accounts} accounts have entries of it after entries of a later month")
        mark = _number(MARK, ended)
        if [mark] != [row["mark"] for row in fetch_all(GATHERED, {"ended_at": ended.at})]:
            _gather(ended, {"ended_at": ended.at, "mark": mark})


def _gather(ended: Ended, facts: dict[str, Any]) -> None:
    began = time.monotonic()
    execute(FORGET, facts)
    execute(NOTE, facts)
    try:
        execute(POSITIONS.format(**ended.tables), facts)
    except IntegrityError as error:  # a profit without a position, which only a hand can have written
        raise CannotDetach(f"its entries are wrong: run `tradepost ledger verify` ({error})") from None
    execute(CLIENT_ORDER_IDS.format(**ended.tables))
    logger.info("month_gathered", month=str(ended), duration_ms=round((time.monotonic() - began) * 1000))


def be_alone(ended: Ended) -> None:
    """Keep migrations and other work on months away for the rest of the transaction.

    Raises CannotDetach if there is such work, or if the month is detached already.
    """
    try:
        alone()
    except NotSplit as error:
        raise CannotDetach(str(error)) from None
    if ended not in attached_ends():
        raise CannotDetach("another process has just detached it")


def _number(sql: str, ended: Ended) -> Decimal:
    ((number,),) = [tuple(row.values()) for row in fetch_all(sql.format(**ended.tables), {"ended_at": ended.at})]
    return Decimal(number)
