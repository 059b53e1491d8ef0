"""Limits on requests: the placements of a token as at the first door, and Kite's own limits if the settings ask."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import Flask

from api.http.rate_limits import count_placements, too_many_placements

View = TypeVar("View", bound=Callable[..., Any])


def register(app: Flask) -> None:
    """Set up Kite's own limits, if the settings ask for them."""


def limited_placement(view: View) -> View:
    """Count the placement for the request's token, and refuse it beyond RATE_LIMIT_ORDERS; stands below @requires."""

    @functools.wraps(view)
    def counted(*args: Any, **kwargs: Any) -> Any:
        if not count_placements(1):
            raise too_many_placements()
        return view(*args, **kwargs)

    return cast(View, counted)
