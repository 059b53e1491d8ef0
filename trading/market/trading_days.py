"""The trading days of a market, for the days of positions and for settlement."""

from datetime import date, timedelta

from trading.market import calendars
from trading.rules.settlement import EVERY_DAY, SettlementDays

SATURDAY = 5


class Weekdays:
    """The weekdays that are no holidays."""

    def __init__(self, holidays: frozenset[date]) -> None:
        self._holidays = holidays

    def next_trading_day(self, day: date) -> date:
        """Return the first trading day after a day."""
        day += timedelta(days=1)
        while day.weekday() >= SATURDAY or day in self._holidays:
            day += timedelta(days=1)
        return day

    def settles_on(self, day: date) -> date:
        """Return the day on which the trades of a day settle."""
        while day.weekday() >= SATURDAY:
            day += timedelta(days=1)
        return self.next_trading_day(day)


def trading_days(calendar: str | None) -> SettlementDays:
    """Return the days of a calendar; without one each day is a trading day."""
    return EVERY_DAY if calendar is None else Weekdays(calendars.holidays(calendar))
