"""The trading days of a market, for the days of positions and for settlement."""

from trading.market import calendars
from trading.rules.settlement import EVERY_DAY, SettlementDays


def trading_days(calendar: str | None) -> SettlementDays:
    """Return the days of a calendar; without one each day is a trading day."""
    return calendars.days(calendar) or EVERY_DAY
