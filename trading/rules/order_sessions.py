"""The session that an order is placed for: the open one, or the next one, for which an after-market order waits."""

from dataclasses import dataclass
from datetime import datetime, time

from trading.rules.errors import MarketClosed, SquareOffPassed
from trading.rules.sessions import TradingDays, at_indian_time, end_of_day, indian_day
from trading.rules.terms import Product


@dataclass(frozen=True, slots=True)
class OrderSession:
    """The session in which an order may fill; an order that waits does so from opens_at on.

    opens_at is None in a market that is always open: its day ends at midnight in India. Without square_off_at nothing
    is squared off in the session.
    """

    closes_at: datetime
    opens_at: datetime | None = None
    square_off_at: datetime | None = None
    waits: bool = False


def session_for(
    days: TradingDays | None,
    session_class: str,
    now: datetime,
    *,
    after_market: bool = False,
    square_off_time: time | None = None,
) -> OrderSession:
    """Return the session of an order that is placed now; raises MarketClosed.

    Without days the market is always open, and square_off_time is the time of its square-off.
    """
    if days is None:
        return _always_open(now, square_off_time)
    session = days.at(now, session_class)
    if session is not None:
        return OrderSession(session.closes_at, session.opens_at, session.square_off_at)
    session = days.next_session(now, session_class)
    if session is None:
        raise MarketClosed(next_open=None)
    if not after_market:
        raise MarketClosed(next_open=session.opens_at)
    return OrderSession(session.closes_at, session.opens_at, session.square_off_at, waits=True)


def check_square_off(session: OrderSession, now: datetime, *, product: str, opens: bool) -> None:
    """Refuse an INTRADAY order that opens anything after the square-off of its session; raises SquareOffPassed.

    An order that waits for its session comes before that session's square-off.
    """
    if product != Product.INTRADAY or not opens:
        return
    if session.square_off_at is not None and now >= session.square_off_at:
        raise SquareOffPassed(square_off_at=session.square_off_at)


def _always_open(now: datetime, square_off_time: time | None) -> OrderSession:
    today = indian_day(now)
    square_off_at = None if square_off_time is None else at_indian_time(today, square_off_time)
    return OrderSession(end_of_day(today), square_off_at=square_off_at)
