"""The statements on `square_off`: find the positions that are to be closed, read their live orders, finish them."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

from models.database import array_of, execute, fetch_all, session, session_with_deadline, transactional
from trading.rules.square_off import SquareOff

# The table of positions is read as a whole: an index of the open ones would slow down every fill.
FIND_S = 60

# After the next opening only that counts which is carried from the session: trades of later days reduce it first.
OVERNIGHT = "position.quantity - day_buy_quantity + day_sell_quantity"
CARRIED = f"""
CASE WHEN position.figures_day IS NULL OR position.figures_day <= %(day)s THEN position.quantity
     WHEN {OVERNIGHT} > 0 THEN greatest(0, position.quantity - day_buy_quantity)
     WHEN {OVERNIGHT} < 0 THEN least(0, position.quantity + day_sell_quantity) ELSE 0 END
"""
LIVE = "product = 'INTRADAY' AND status IN ('PENDING', 'OPEN')"
# The clients' orders of the session. An afterMarket order that was placed after its square-off is for a later one.
OF_SESSION = """
(origin = 'CLIENT' AND NOT (after_market AND placed_at >= %(due_at)s)
    AND coalesce(placed_at < %(reopens_at)s, true))
"""
# A row that was finished is due again if something of its position has become known later.
FIND = f"""
SET LOCAL statement_timeout = '{FIND_S}s';
INSERT INTO square_off (account_id, stock_id, day, session_class, due_at)
SELECT account_id, stock_id, %(day)s, %(session_class)s, %(due_at)s FROM (
    SELECT account_id, stock_id FROM position WHERE product = 'INTRADAY' AND quantity <> 0 AND ({CARRIED}) <> 0
    UNION
    SELECT account_id, stock_id FROM trading_order WHERE {LIVE} AND {OF_SESSION}) AS found
JOIN stock ON stock.id = stock_id AND stock.session_class = %(session_class)s
ORDER BY account_id, stock_id
ON CONFLICT (account_id, stock_id, day) DO UPDATE SET finished_at = NULL WHERE square_off.finished_at IS NOT NULL
"""
UNFINISHED = """
SELECT account_id, stock_id FROM square_off
WHERE day = %(day)s AND session_class = %(session_class)s AND finished_at IS NULL
    AND (account_id, stock_id) > (%(account_id)s, %(stock_id)s)
ORDER BY account_id, stock_id LIMIT %(limit)s
"""
# Without statistics the planner would read whole tables for a few positions.
PREPARE = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;"
PAIRS = "unnest(%(accounts)s::uuid[], %(stocks)s::uuid[]) AS pair (account_id, stock_id)"
# An order of the fill model IMMEDIATE fills at once, as if it were matched.
LIVE_ORDERS = f"""
{PREPARE}
SELECT id, account_id, stock_id, status, (matched_at IS NOT NULL OR fill_model = 'IMMEDIATE') AS is_matched,
    origin = 'CLIENT' AS is_clients, coalesce(expires_at <= (SELECT market_now()), false) AS is_over
FROM {PAIRS} JOIN trading_order USING (account_id, stock_id)
WHERE {LIVE} AND (origin = 'SQUARE_OFF' OR {OF_SESSION})
ORDER BY id
"""
FINISH = f"""
{PREPARE}
UPDATE square_off SET finished_at = (SELECT statement_now()) FROM {PAIRS}
WHERE square_off.account_id = pair.account_id AND square_off.stock_id = pair.stock_id AND day <= %(day)s
    AND finished_at IS NULL
    AND NOT EXISTS (SELECT FROM position WHERE position.account_id = pair.account_id
        AND position.stock_id = pair.stock_id AND product = 'INTRADAY' AND ({CARRIED}) <> 0)
    AND NOT EXISTS (SELECT FROM trading_order WHERE trading_order.account_id = pair.account_id
        AND trading_order.stock_id = pair.stock_id AND {LIVE} AND (origin = 'SQUARE_OFF' OR {OF_SESSION}))
"""
FIRST = UUID(int=0)


class Pair(NamedTuple):
    """An account and a stock."""

    account_id: UUID
    stock_id: UUID


class LiveOrder(TypedDict):
    """A live INTRADAY order of a session, placed by a client or by its square-off."""

    id: UUID
    account_id: UUID
    stock_id: UUID
    status: str
    is_matched: bool
    is_clients: bool
    is_over: bool


def find(of: SquareOff) -> int:
    """Add rows for the open positions and the live orders of a session, and return the number of added rows."""
    with session_with_deadline(FIND_S + 5.0):
        return _find(of)


@transactional
def _find(of: SquareOff) -> int:
    return execute(FIND, parameters_of(of))


def unfinished(of: SquareOff, limit: int, after: Pair | None = None) -> list[Pair]:
    """Return the next unfinished rows of a session by account and stock."""
    account_id, stock_id = after or Pair(FIRST, FIRST)
    given = {"account_id": account_id, "stock_id": stock_id, "limit": limit}
    with session():
        return [Pair(**row) for row in fetch_all(UNFINISHED, parameters_of(of) | given)]


@transactional
def live_orders(of: SquareOff, pairs: Sequence[Pair]) -> list[LiveOrder]:
    """Return the live orders of a session by these accounts and stocks."""
    return fetch_all(LIVE_ORDERS, parameters_of(of, pairs), LiveOrder)


@transactional
def finish(of: SquareOff, pairs: Sequence[Pair]) -> int:
    """Finish the rows whose positions are flat and have no live orders of the session; return their number."""
    return execute(FINISH, parameters_of(of, pairs))


def parameters_of(of: SquareOff, pairs: Iterable[Pair] = ()) -> dict[str, Any]:
    """Return the parameters of the statements on a square-off and some accounts and stocks."""
    chosen = list(pairs)
    return {
        "day": of.day,
        "session_class": str(of.session_class),
        "due_at": of.due_at,
        "reopens_at": of.reopens_at,
        "accounts": array_of(pair.account_id for pair in chosen),
        "stocks": array_of(pair.stock_id for pair in chosen),
    }
