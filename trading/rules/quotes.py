"""A stock's quote as the rules see it: its two sides, whether it may match, and whether it brings a new trade."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from trading.rules.sessions import TradingDays
from trading.rules.terms import FillRule


class QuoteOutcome(StrEnum):
    """The reason for which a stored quote matches nothing."""

    SESSION_CLOSED = "session_closed"
    HALTED = "halted"
    CROSSED_BOOK = "crossed_book"
    OUT_OF_DAY_RANGE = "out_of_day_range"
    TOO_OLD = "too_old"


@dataclass(frozen=True, slots=True)
class Quote:
    """A stock's quote; prices are in rupees, and a side or price that the quote does not have is None.

    usable_number is the number of the usable quote before this one, 0 if there was none. new_trade is the price of the
    trade that the quote brings, None if it brings none. The circuits are there only if they hold today.
    """

    number: int
    usable_number: int
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    quoted_at: datetime | None
    is_usable: bool
    new_trade: Decimal | None = None
    lower_circuit: Decimal | None = None
    upper_circuit: Decimal | None = None
    tick_size: Decimal | None = None

    @property
    def eff_ask(self) -> Decimal | None:
        """Return the price at which an order can buy now, None if there is no seller."""
        return self.last if self._has_no_book else self.ask

    @property
    def eff_bid(self) -> Decimal | None:
        """Return the price at which an order can sell now, None if there is no buyer."""
        return self.last if self._has_no_book else self.bid

    @property
    def _has_no_book(self) -> bool:
        return self.bid is None and self.ask is None

    def evidence(self, rule: FillRule) -> dict[str, Any]:
        """Return the JSON that says which quote made a fill, and by which rule."""
        return {
            "quoteNumber": self.number,
            "bid": _text(self.bid),
            "ask": _text(self.ask),
            "last": _text(self.last),
            "quotedAt": None if self.quoted_at is None else f"{self.quoted_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            "rule": str(rule),
        }


def quote_of_stock(stock: Mapping[str, Any], *, is_usable: bool, day: date | None) -> Quote:
    """Return the stored quote of a StockRow, outside the quote's own transaction: it brings no new trade.

    day is the session day; without one the circuits do not hold.
    """
    holds = day is not None and stock["circuit_day"] == day
    return Quote(
        number=stock["quote_number"],
        usable_number=stock["usable_number"],
        bid=stock["bid_price"],
        ask=stock["ask_price"],
        last=stock["last_price"],
        quoted_at=stock["quoted_at"],
        is_usable=is_usable,
        lower_circuit=stock["lower_circuit"] if holds else None,
        upper_circuit=stock["upper_circuit"] if holds else None,
        tick_size=stock["tick_size"],
    )


def is_usable_now(stock: Mapping[str, Any], *, now: datetime, max_age_s: int, days: TradingDays | None = None) -> bool:
    """Return True if a StockRow's stored quote was usable when it came and still is; a max_age_s of 0 is no limit.

    The quote of an earlier session is usable no more. Without days the market is always open.
    """
    quoted_at = stock["quoted_at"]
    if not stock["is_usable"] or stock["is_halted"] or quoted_at is None:
        return False
    if days is not None and not is_of_open_session(quoted_at, now, days, stock["session_class"]):
        return False
    return not _is_too_old(quoted_at, now, max_age_s)


def is_of_open_session(quoted_at: datetime, now: datetime, days: TradingDays, session_class: str) -> bool:
    """Return True if a session is open and a quote is not from before its opening."""
    session = days.at(now, session_class)
    return session is not None and quoted_at >= session.opens_at


def outcome_of(
    *,
    bid: Decimal | None,
    ask: Decimal | None,
    last: Decimal | None,
    low: Decimal | None,
    high: Decimal | None,
    is_halted: bool,
    quoted_at: datetime,
    now: datetime,
    max_age_s: int,
    session_is_open: bool = True,
    session_opened_at: datetime | None = None,
) -> QuoteOutcome | None:
    """Return the reason for which a quote matches nothing, None if it is usable.

    low and high are those of the same quote, last is the last price as it is with the quote. A max_age_s of 0 is no
    limit. A quote from before the session's opening belongs to a closed session.
    """
    if not session_is_open or (session_opened_at is not None and quoted_at < session_opened_at):
        return QuoteOutcome.SESSION_CLOSED
    if is_halted:
        return QuoteOutcome.HALTED
    if bid is not None and ask is not None and bid > ask:
        return QuoteOutcome.CROSSED_BOOK
    if last is not None and ((low is not None and last < low) or (high is not None and last > high)):
        return QuoteOutcome.OUT_OF_DAY_RANGE
    return QuoteOutcome.TOO_OLD if _is_too_old(quoted_at, now, max_age_s) else None


def brings_new_trade(
    *,
    last: Decimal | None,
    previous_last: Decimal | None,
    traded_at: datetime | None,
    newest_trade_at: datetime | None,
    volume: int | None,
    largest_volume: int | None,
    is_volume_of_today: bool = True,
) -> bool:
    """Return True if a quote's last price is a trade that no usable quote before it has brought.

    last is None if the quote names no last price. newest_trade_at and largest_volume are those of all usable quotes
    before it, previous_last is the last price before it. If largest_volume is of an earlier day, is_volume_of_today is
    False, and the day's volume begins at zero.
    """
    if last is None:
        return False
    if traded_at is not None and (newest_trade_at is None or traded_at > newest_trade_at):
        return True
    if volume is not None and volume > (largest_volume or 0 if is_volume_of_today else 0):
        return True
    was_ever_given = any(value is not None for value in (traded_at, newest_trade_at, volume, largest_volume))
    return not was_ever_given and last != previous_last


def _is_too_old(quoted_at: datetime, now: datetime, max_age_s: int) -> bool:
    return max_age_s > 0 and quoted_at < now - timedelta(seconds=max_age_s)


def _text(price: Decimal | None) -> str | None:
    return None if price is None else f"{price:.2f}"
