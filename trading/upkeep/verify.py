"""The check of the ledger: each account's balance, margin, positions, orders and events must agree in the tables."""

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple
from uuid import UUID

from models import buckets
from models.database import db, execute, fetch_all, session, session_with_deadline
from runtime.logs import get_logger
from trading.upkeep.ledger_checks import note_check
from trading.upkeep.resting_rules import RESTING_RULES

MAX_LOGGED = 20
SLICE_ACCOUNTS = 50
SILENCE_S = 5.0  # a server that does not stop a statement within this time after its limit is out of reach

logger = get_logger(__name__)


class Violation(NamedTuple):
    """An account that breaks a rule, and the detail."""

    account_id: UUID
    rule: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: account {self.account_id}: {self.detail}"


ON_BALANCE = """CASE WHEN kind IN ('DEPOSIT', 'CHARGES_REFUND', 'PROFIT', 'ADJUST_CREDIT') THEN amount
                     WHEN kind IN ('WITHDRAWAL', 'CHARGES', 'LOSS', 'ADJUST_DEBIT') THEN -amount ELSE 0 END"""
ON_BLOCKED = "CASE kind WHEN 'MARGIN_BLOCK' THEN amount WHEN 'MARGIN_RELEASE' THEN -amount ELSE 0 END"

# An order of a detached month has entries that are kept, if it ended after the month. One of the first moments of the
# next month has entries that are not, if the clock of the process that gave its id was fast.
IS_KEPT = """coalesce(placed_at >= (SELECT max(ended_at) FROM detached_month),
                     order_id >= (SELECT first_order_id FROM detached_month ORDER BY ended_at DESC LIMIT 1), true)"""

# Each query returns account_id and detail for every violation of its rule. No rule compares rows of different accounts,
# so that the accounts can be checked in slices.
RULES = {
    "running sums of the ledger": f"""
        SELECT account_id, format('transaction %s says %s and %s, the rows before it %s and %s',
                                  id, balance_after, blocked_after, balance, blocked) AS detail
        FROM (SELECT account_id, id, balance_after, blocked_after,
                     coalesce(opening.balance, 0) + sum({ON_BALANCE}) OVER running AS balance,
                     coalesce(opening.blocked, 0) + sum({ON_BLOCKED}) OVER running AS blocked
              FROM fund_transaction LEFT JOIN ledger_opening AS opening USING (account_id)
              WINDOW running AS (PARTITION BY account_id ORDER BY id)) AS entry
        WHERE (balance, blocked) <> (balance_after, blocked_after)""",
    "balance and blocked margin are the ledger's": f"""
        SELECT account.id AS account_id, format('account says %s and %s, its ledger %s and %s',
               account.balance, account.blocked_margin, coalesce(balance_sum, 0), coalesce(blocked_sum, 0)) AS detail
        FROM account LEFT JOIN (
            SELECT account_id, sum(balance) AS balance_sum, sum(blocked) AS blocked_sum FROM (
                SELECT account_id, {ON_BALANCE} AS balance, {ON_BLOCKED} AS blocked FROM fund_transaction
                UNION ALL SELECT account_id, balance, blocked FROM ledger_opening) AS entry
            GROUP BY account_id) AS ledger ON ledger.account_id = account.id
        WHERE (account.balance, account.blocked_margin) <> (coalesce(balance_sum, 0), coalesce(blocked_sum, 0))""",
    "blocked margin is that of pending orders and positions": """
        SELECT account.id AS account_id, format('account says %s, orders and positions %s', account.blocked_margin,
               coalesce(orders.margin, 0) + coalesce(positions.margin, 0)) AS detail
        FROM account
        LEFT JOIN (SELECT account_id, sum(blocked_margin) AS margin FROM trading_order
                   WHERE status IN ('PENDING', 'OPEN') GROUP BY account_id) AS orders ON orders.account_id = account.id
        LEFT JOIN (SELECT account_id, sum(blocked_margin) AS margin FROM position
                   GROUP BY account_id) AS positions ON positions.account_id = account.id
        WHERE account.blocked_margin <> coalesce(orders.margin, 0) + coalesce(positions.margin, 0)""",
    "a position is the sum of its fills": """
        SELECT account_id, format('position %s holds %s, its orders and changes make %s',
                                  position_id, position.quantity, coalesce(made.quantity, 0)) AS detail
        FROM (SELECT account_id, id AS position_id, quantity FROM position) AS position FULL JOIN (
            SELECT account_id, position_id, sum(quantity) AS quantity FROM (
                SELECT account_id, position_id,
                       CASE side WHEN 'BUY' THEN filled_quantity ELSE -filled_quantity END AS quantity
                FROM trading_order WHERE status = 'EXECUTED' AND position_id IS NOT NULL
                UNION ALL SELECT account_id, from_position, -quantity FROM position_change
                UNION ALL SELECT account_id, to_position, quantity FROM position_change WHERE to_position IS NOT NULL
                UNION ALL SELECT account_id, position_id, quantity FROM position_opening
            ) AS change GROUP BY 1, 2) AS made
            USING (account_id, position_id)
        WHERE position.quantity IS DISTINCT FROM coalesce(made.quantity, 0)""",
    # Without a bucket_day the settlement buckets were never kept: all is settled.
    "the buckets of a delivery sum to its position": """
        SELECT account_id, format('position %s holds %s, in buckets %s + %s + %s + %s', id, quantity, today_quantity,
                                  t1_quantity, later_quantity, settled_quantity) AS detail
        FROM position
        WHERE least(today_quantity, t1_quantity, later_quantity, settled_quantity) < 0
           OR (t1_quantity > 0) <> (t1_settles_on IS NOT NULL) OR (later_quantity > 0) <> (later_settles_on IS NOT NULL)
           OR today_quantity + t1_quantity + later_quantity + settled_quantity
              <> CASE WHEN bucket_day IS NULL THEN 0 ELSE quantity END""",
    "a flat position has no cost and no margin": """
        SELECT account_id, format('position %s', id) AS detail FROM position
        WHERE (quantity = 0) <> (cost = 0) OR (quantity = 0 AND blocked_margin <> 0)""",
    "realized profit is the ledger's": """
        SELECT account_id, format('position %s says %s, its ledger %s',
                                  position_id, realized_pnl, coalesce(pnl, 0)) AS detail
        FROM (SELECT account_id, id AS position_id, realized_pnl FROM position) AS position FULL JOIN (
            SELECT account_id, position_id, sum(pnl) AS pnl FROM (
                SELECT account_id, position_id, CASE kind WHEN 'PROFIT' THEN amount ELSE -amount END AS pnl
                FROM fund_transaction WHERE kind IN ('PROFIT', 'LOSS')
                UNION ALL SELECT account_id, position_id, realized_pnl FROM position_opening) AS entry
            GROUP BY 1, 2) AS ledger
            USING (account_id, position_id)
        WHERE realized_pnl IS DISTINCT FROM coalesce(pnl, 0)
        UNION ALL
        SELECT account.id, format('account says %s, its positions %s', account.realized_pnl, coalesce(pnl, 0))
        FROM account LEFT JOIN (SELECT account_id, sum(realized_pnl) AS pnl FROM position GROUP BY account_id)
            AS positions ON positions.account_id = account.id
        WHERE account.realized_pnl <> coalesce(pnl, 0)""",
    "an order's ledger entries match its status": f"""
        SELECT account_id, format('order %s is %s', order_id, status) AS detail
        FROM (SELECT id AS order_id, * FROM trading_order) AS trading_order FULL JOIN (
            SELECT account_id, order_id, sum({ON_BALANCE}) AS net_balance, sum({ON_BLOCKED}) AS net_blocked,
                   sum(CASE kind WHEN 'CHARGES' THEN amount WHEN 'CHARGES_REFUND' THEN -amount ELSE 0 END) AS charged,
                   count(*) AS entries, count(position_id) AS links, min(position_id::text) AS first_link,
                   max(position_id::text) AS last_link
            FROM fund_transaction WHERE order_id IS NOT NULL GROUP BY 1, 2) AS ledger
            USING (account_id, order_id)
        WHERE {IS_KEPT} AND (status IS NULL OR CASE
            WHEN status IN ('PENDING', 'OPEN')
            THEN (coalesce(net_blocked, 0), coalesce(charged, 0)) <> (blocked_margin, charges)
            WHEN status = 'EXECUTED'
            THEN position_id IS NULL OR filled_quantity <> quantity OR coalesce(charged, 0) <> charges
                 OR links <> entries OR first_link <> position_id::text OR last_link <> position_id::text
            ELSE (coalesce(net_balance, 0), coalesce(net_blocked, 0)) <> (0, 0) OR filled_quantity <> 0 END)""",
    "an order has its events": """
        SELECT trading_order.account_id, format('order %s is %s, with %s pending and %s final events',
               trading_order.id, status, coalesce(pending, 0), coalesce(final, 0)) AS detail
        FROM trading_order LEFT JOIN (
            SELECT account_id, (data ->> 'id')::uuid AS order_id,
                   count(*) FILTER (WHERE type = 'order.pending') AS pending,
                   count(*) FILTER (WHERE type IN (
                       'order.executed', 'order.cancelled', 'order.rejected', 'order.expired')) AS final
            FROM event WHERE type LIKE 'order.%' GROUP BY 1, 2) AS told
            ON told.account_id = trading_order.account_id AND told.order_id = trading_order.id
        WHERE placed_at > now() - interval '7 days'
          AND (coalesce(pending, 0), coalesce(final, 0)) <> (1, (status NOT IN ('PENDING', 'OPEN'))::int)""",
    # Those that an account had before its entries were counted have gaps (migration 0021).
    "ledger entries are numbered without a gap": """
        SELECT counted.account_id, format('%s entries after %s, the last is %s, the counter says %s',
                                          coalesce(kept, 0), start, last, last_entry_id) AS detail
        FROM (SELECT account.id AS account_id, last_entry_id, greatest(numbered_after, last_id) AS start
              FROM account LEFT JOIN ledger_opening ON account_id = account.id) AS counted
        LEFT JOIN (
            SELECT fund_transaction.account_id, count(*) AS kept, max(fund_transaction.id) AS last
            FROM fund_transaction JOIN account ON account.id = fund_transaction.account_id
            WHERE fund_transaction.id > numbered_after GROUP BY 1) AS entries ON entries.account_id = counted.account_id
        WHERE (coalesce(kept, 0), coalesce(last, start)) <> (last_entry_id - start, last_entry_id)""",
    "events are numbered without a gap": """
        SELECT account.id AS account_id, format('%s events from %s to %s, the counter says %s',
                                                kept, first, last, last_event_id) AS detail
        FROM account JOIN (SELECT account_id, count(*) AS kept, min(id) AS first, max(id) AS last
                           FROM event GROUP BY account_id) AS events ON events.account_id = account.id
        WHERE kept <> last - first + 1 OR last <> last_event_id""",
    "the last events match the rows": """
        SELECT account.id AS account_id, format('account.updated %s', told.id) AS detail
        FROM account JOIN (SELECT DISTINCT ON (account_id) account_id, id, data FROM event
                           WHERE type = 'account.updated' ORDER BY account_id, id DESC) AS told
            ON told.account_id = account.id
        WHERE ((data ->> 'balance')::numeric, (data ->> 'blocked_margin')::numeric,
               (data ->> 'available_margin')::numeric, (data ->> 'realized_pnl')::numeric,
               data ->> 'status', data ->> 'name')
           <> (balance, blocked_margin, available_margin, realized_pnl, status, name)
        UNION ALL
        SELECT position.account_id, format('position.updated %s of position %s', told.id, position.id)
        FROM position JOIN (SELECT DISTINCT ON (account_id, data ->> 'id')
                                   account_id, (data ->> 'id')::uuid AS position_id, id, data FROM event
                            WHERE type = 'position.updated' ORDER BY account_id, data ->> 'id', event.id DESC) AS told
            ON told.account_id = position.account_id AND told.position_id = position.id
        WHERE ((data ->> 'quantity')::bigint, (data ->> 'cost')::numeric,
               (data ->> 'blocked_margin')::numeric, (data ->> 'realized_pnl')::numeric)
           <> (quantity, cost, blocked_margin, realized_pnl)""",
    "no delivery position is short": """
        SELECT account_id, format('position %s holds %s', id, quantity) AS detail FROM position
        WHERE product = 'DELIVERY' AND quantity < 0""",
    **RESTING_RULES,
}


# Locked before the snapshot is taken: a month that is detached in between would be missing, and so would its sums.
BEFORE_SNAPSHOT = "LOCK TABLE trading_order, fund_transaction IN ACCESS SHARE MODE"

# The rules read these tables instead of the whole ones, as if there were no other accounts.
SLICE = "WITH " + ", ".join(
    f"{table} AS NOT MATERIALIZED (SELECT * FROM {table} WHERE {column} = ANY(%(accounts)s::uuid[]))"
    for table, column in (
        ("account", "id"),
        ("position", "account_id"),
        ("trading_order", "account_id"),
        ("fund_transaction", "account_id"),
        ("position_change", "account_id"),
        ("ledger_opening", "account_id"),
        ("position_opening", "account_id"),
        ("event", "account_id"),
    )
)


def verify() -> list[Violation]:
    """Return the violations of all rules by all accounts, beside live traffic, in one consistent snapshot a bucket."""
    return list(itertools.chain.from_iterable(buckets.in_each(lambda: _violations("", {}, math.inf))))


def verify_accounts(account_ids: Sequence[UUID], *, time_limit_s: float = math.inf) -> list[Violation]:
    """Return the violations of all rules by these accounts, in one consistent snapshot.

    Raises DatabaseUnavailable when the time is over.
    """
    return _violations(SLICE, {"accounts": account_ids}, time_limit_s)


def check_and_note(
    *, time_limit_s: float = math.inf, is_over: Callable[[], bool] = lambda: False, accounts: int = SLICE_ACCOUNTS
) -> int | None:
    """Check all accounts in slices, log the violations, store the outcome and return the number of violations.

    Each slice of accounts is a snapshot of its own. Returns None and stores nothing if the time limit is over or
    is_over returns True between two slices; raises DatabaseUnavailable if the time limit ends within a slice.
    """
    start, violations = time.monotonic(), list[Violation]()
    for account_ids in _slices(accounts):
        left_s = time_limit_s - (time.monotonic() - start)
        if left_s <= 0 or is_over():
            return None
        violations += verify_accounts(account_ids, time_limit_s=left_s)
    duration_ms = round((time.monotonic() - start) * 1000)
    for violation in violations[:MAX_LOGGED]:
        logger.error("ledger_violation", **{name: str(value) for name, value in violation._asdict().items()})
    logger.info("ledger_checked", violations=len(violations), duration_ms=duration_ms)
    note_check(len(violations), duration_ms)
    return len(violations)


def _slices(accounts: int) -> Iterator[list[UUID]]:
    """Yield the ids of all accounts in slices, each within the bucket of its accounts."""
    for _ in buckets.each():
        account_ids = _accounts_after(UUID(int=0), accounts)
        while account_ids:
            yield account_ids
            account_ids = _accounts_after(account_ids[-1], accounts)


def _accounts_after(account_id: UUID, count: int) -> list[UUID]:
    with session():
        rows = fetch_all("SELECT id FROM account WHERE id > %s ORDER BY id LIMIT %s", (account_id, count))
    return [row["id"] for row in rows]


def _violations(before: str, parameters: dict[str, Sequence[UUID]], time_limit_s: float) -> list[Violation]:
    """Check every rule in one snapshot; `before` is put in front of each query."""
    is_endless = time_limit_s == math.inf
    limit_ms = 0 if is_endless else max(1, int(time_limit_s * 1000))
    with session_with_deadline(None if is_endless else limit_ms / 1000 + SILENCE_S), db.atomic():
        execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        execute(f"SET LOCAL statement_timeout = {limit_ms}; SET LOCAL lock_timeout = 0; {BEFORE_SNAPSHOT}")
        return [
            Violation(row["account_id"], rule, row["detail"])
            for rule, query in RULES.items()
            for row in fetch_all(before + query.replace("%", "%%"), parameters)
        ]
