"""Limits on requests: the placements of a token as at the first door, and Kite's own limits if the settings ask."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

from flask import Flask, current_app, request

from api.http.rate_limits import SharedLimit, count_placements, too_many_placements
from api.http.token_cache import Principal
from config import RateLimit, Settings

from .envelope import TOO_MANY, KiteRefusal

View = TypeVar("View", bound=Callable[..., Any])

TOO_MANY_ORDERS = "Maximum allowed order requests exceeded."
DEFAULT = "others"
# Kite Connect's documentation, "Exceptions and errors" (read 2026-11): requests in a second for each api_key, which is
# a token here, by the start of the path.
PATHS = {
    "/kite/quote": ("quotes", 1),
    "/kite/instruments/historical/": ("historical", 3),
    "/kite/orders": ("changes", 10),
}
OTHERS = 10
# The same page: the orders that a user places.
OF_ORDERS = {"minute": RateLimit(400, 60), "day": RateLimit(5_000, 86_400)}


class StrictLimits(NamedTuple):
    """Kite's own limits: on the requests of a token by their kind, and on the orders of an account."""

    requests: dict[str, SharedLimit]
    orders: tuple[SharedLimit, ...]

    @classmethod
    def of(cls, redis_url: str | None) -> "StrictLimits":
        """Return the limits, counted in Redis or, without one, in this process."""
        counts = {DEFAULT: OTHERS} | dict(PATHS.values())
        return cls(
            {kind: SharedLimit(f"kite-{kind}", RateLimit(count, 1), redis_url) for kind, count in counts.items()},
            tuple(SharedLimit(f"kite-orders-{name}", limit, redis_url) for name, limit in OF_ORDERS.items()),
        )


def register(app: Flask) -> None:
    """Set up Kite's own limits, if the settings ask for them."""
    settings: Settings = app.config["SETTINGS"]
    app.extensions["kite_limits"] = StrictLimits.of(settings.redis_url) if settings.kite_strict_rate_limits else None


def count_request(principal: Principal) -> None:
    """Count the request for its token, and refuse it beyond Kite's own limits, if they are on."""
    limits: StrictLimits | None = current_app.extensions["kite_limits"]
    if limits is not None and limits.requests[_kind()].hit(str(principal.token_id), 1) < 0:
        raise KiteRefusal("NetworkException", TOO_MANY, 429)
    if limits is not None and request.method == "POST" and request.path.startswith("/kite/orders/"):
        for limit in limits.orders:
            if limit.hit(str(principal.account_id), 1) < 0:
                raise KiteRefusal("NetworkException", TOO_MANY_ORDERS, 429)


def limited_placement(view: View) -> View:
    """Count the placement for the request's token, and refuse it beyond RATE_LIMIT_ORDERS; stands below @requires."""

    @functools.wraps(view)
    def counted(*args: Any, **kwargs: Any) -> Any:
        if not count_placements(1):
            raise too_many_placements()
        return view(*args, **kwargs)

    return cast(View, counted)


def _kind() -> str:
    """Return the kind of the request: reading the orders is none of its own."""
    for start, (kind, _) in PATHS.items():
        if request.path.startswith(start):
            return DEFAULT if kind == "changes" and request.method in ("GET", "HEAD") else kind
    return DEFAULT
