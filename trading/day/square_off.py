"""Square-off: at its time a session's INTRADAY orders end and its INTRADAY positions are closed, once each.

A row of `square_off` stands for an account, a stock and a day. First the clients' orders end, and those that the market
has matched are executed; once none is left, a MARKET order closes the position, under the account's lock and in the
transaction that reads that none is left. The row is done when the position is flat. Each part begins with a look at the
tables, so that a process may die anywhere, two may work at once, and a missed day is made up for.
"""

import time
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import partial
from typing import NamedTuple

from config import settings
from models import buckets
from models.database import DatabaseUnavailable, sqlstate
from runtime import metrics
from runtime.logs import get_logger
from trading.day import jobs, square_off_rows
from trading.day.close_prices import match_at_close
from trading.day.closing_orders import place_closing_orders
from trading.day.ending import end_orders_for
from trading.day.jobs import Progress
from trading.day.square_off_rows import LiveOrder, Pair
from trading.execution import expiry
from trading.execution.patience import LOCK_NOT_AVAILABLE, execute_patiently
from trading.execution.second_look import OrderAndStock
from trading.market import calendars
from trading.market.clock import market_time
from trading.rules.square_off import SquareOff, last_square_off, last_square_off_without_calendar
from trading.rules.terms import EndReason, SessionClass

# Quotes of the stocks and requests of the accounts wait for a batch.
PAIRS = 100
PASS_S = 3.0
# A placement reads the time under its account's lock, and may commit some seconds later.
SETTLES_AFTER = timedelta(seconds=30)
FIND_EVERY = timedelta(seconds=10)

logger = get_logger(__name__)
_found_at: dict[tuple[int | None, date, str], datetime] = {}


class Pass(NamedTuple):
    """The numbers of orders that a pass has ended, executed and placed, and of positions that it has finished."""

    ended: int = 0
    executed: int = 0
    placed: int = 0
    finished: int = 0


def run_once(*, patience_s: float = jobs.PATIENCE_S) -> bool:
    """Work on the last square-off of each session class; return True if all are done.

    Raises DatabaseUnavailable.
    """
    are_done = [_run(of, patience_s) for of in _due()]
    return all(are_done)


def _run(of: SquareOff, patience_s: float) -> bool:
    return jobs.run_daily(name_of(of), of.day, partial(work_on, of), due_at=of.due_at, patience_s=patience_s)


def behind_s() -> float:
    """Return the seconds since the time of a square-off that is not done, 0 if all are; raises DatabaseUnavailable."""
    now = market_time()
    return max(
        ((now - of.due_at).total_seconds() for of in _due() if not jobs.is_done(name_of(of), of.day, due_at=of.due_at)),
        default=0.0,
    )


def _due() -> list[SquareOff]:
    """Return the last square-off of each session class, if there is any."""
    if settings().market_calendar is None and settings().square_off_time is None:
        return []
    now = market_time()
    return [of for session_class in SessionClass if (of := last_due(now, session_class)) is not None]


def last_due(now: datetime, session_class: str) -> SquareOff | None:
    """Return the square-off of a session class that became due last, None if there is none."""
    days, at = calendars.days(settings().market_calendar), settings().square_off_time
    if days is not None:
        return last_square_off(days, now, session_class)
    return None if at is None else last_square_off_without_calendar(now, session_class, at)


def name_of(of: SquareOff) -> str:
    """Return the name of a square-off in `job_run`."""
    return f"square-off {of.session_class}"


def work_on(of: SquareOff) -> Progress:
    """Close the open positions of a session whose square-off is due, as far as that is possible now."""
    now = market_time()
    if _is_time_to_find(of, now):
        square_off_rows.find(of)
    done = _pass(of, now)
    if square_off_rows.unfinished(of, 1):
        return Progress.MORE if any(done) else Progress.LATER
    if now < of.due_at + SETTLES_AFTER:
        return Progress.LATER
    return Progress.MORE if square_off_rows.find(of) else Progress.DONE


def _is_time_to_find(of: SquareOff, now: datetime) -> bool:
    """Return True if nothing is left that was found, or it was found some time ago."""
    key = buckets.current(), of.day, str(of.session_class)
    last = _found_at.get(key)
    if last is not None and last <= now < last + FIND_EVERY and square_off_rows.unfinished(of, 1):
        return False
    _found_at[key] = now
    return True


def _pass(of: SquareOff, now: datetime) -> Pass:
    """Work on the unfinished rows, batch after batch, for some seconds."""
    end, total, last = time.monotonic() + PASS_S, Pass(), None
    while time.monotonic() < end and (pairs := square_off_rows.unfinished(of, PAIRS, last)):
        total = _sum([total, _work_apart(of, pairs, now)])
        last = pairs[-1]
    for outcome, number in total._asdict().items():
        metrics.count_square_off(outcome, number)
    if any(total):
        logger.info("squared_off", day=str(of.day), session_class=str(of.session_class), **total._asdict())
    return total


def _sum(passes: Sequence[Pass]) -> Pass:
    return Pass(*(sum(column) for column in zip(Pass(), *passes, strict=True)))


def _work_apart(of: SquareOff, pairs: Sequence[Pair], now: datetime) -> Pass:
    """Work on a batch, or on each of its rows by itself if that raises or meets a lock that is not given up."""
    try:
        return _work_on_batch(of, pairs, now)
    except Exception as error:
        if isinstance(error, DatabaseUnavailable) and sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise
        if len(pairs) == 1:
            logger.exception("square_off_failed", account_id=str(pairs[0].account_id), stock_id=str(pairs[0].stock_id))
            return Pass()
    return _sum([_work_apart(of, [pair], now) for pair in pairs])


def _work_on_batch(of: SquareOff, pairs: Sequence[Pair], now: datetime) -> Pass:
    """End, execute and close; rows that are busy or wait for a quote stay for the next pass."""
    has_closed, live = now >= of.closes_at, square_off_rows.live_orders(of, pairs)
    matched = [_named(order) for order in live if order["is_matched"]]
    waiting = [_named(order) for order in live if not order["is_matched"] and not order["is_clients"]]
    clients = [order for order in live if not order["is_matched"] and order["is_clients"]]
    # A square-off that comes after the close finds orders whose time is over: they expire, whoever finds them first.
    ended = len(expiry.expire([_named(order) for order in clients if order["is_over"]]))
    ended += end_orders_for(EndReason.SQUARE_OFF, [_named(order) for order in clients if not order["is_over"]])
    executed = _execute(matched)
    placed = place_closing_orders(of, pairs, settings().square_off_fee)
    closing = [*waiting, *placed]
    if has_closed:
        match_at_close(of, closing)
    executed += _execute(closing)
    return Pass(ended, executed, len(placed), square_off_rows.finish(of, pairs))


def _named(order: LiveOrder) -> OrderAndStock:
    return OrderAndStock(order["id"], order["stock_id"])


def _execute(orders: Sequence[OrderAndStock]) -> int:
    """Execute those of these orders that are due, and return the number of executed ones.

    A batch that raises is left to sweeping, which finds the order that is at fault.
    """
    executed = 0
    for start in range(0, len(orders), PAIRS):
        try:
            executed += execute_patiently([order.order_id for order in orders[start : start + PAIRS]]).executed
        except DatabaseUnavailable:
            raise
        except Exception:
            logger.exception("closing_left_to_sweeping", orders=len(orders))
    return executed
