"""The types of options that several commands have."""

from datetime import date
from typing import Any

import click


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


DAY = Day()
