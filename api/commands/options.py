"""The types of options that several commands have."""

from datetime import date
from typing import Any

import click

from models.partitions import Month


class Day(click.ParamType[date]):
    """A day as 2026-11-27."""

    name = "yyyy-mm-dd"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day, or end with a usage error that names the format."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} must be a day like 2026-01-31.", param, ctx)


class MonthOption(click.ParamType[Month]):
    """A month as 2026-11."""

    name = "yyyy-mm"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Month:
        """Return the month, or end with a usage error that names the format."""
        if isinstance(value, Month):
            return value
        try:
            return Month.of(date.fromisoformat(f"{value}-01"))
        except ValueError:
            self.fail(f"{value!r} must be a month like 2026-01.", param, ctx)


DAY = Day()
MONTH = MonthOption()
