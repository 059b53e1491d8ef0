"""Limit placements per token, counted in Redis for all processes, and in this one while Redis is away."""

import functools
import math
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast
from uuid import UUID

from flask import Flask, Response, current_app, g, request
from limits.storage import MemoryStorage, RedisStorage, Storage

from config import RateLimit, Settings
from runtime import redis_link
from trading.accounts.idempotency import IdempotencyKey
from trading.orders.placement import placed_before
from trading.orders.placement_types import Placement

from .authentication import principal
from .description import described
from .errors import HttpRefusal
from .idempotency import HEADER

Number = TypeVar("Number", int, float)
View = TypeVar("View", bound=Callable[..., Any])


class PlacementLimit:
    """Counts a token's placements in windows of one period; a whole window's number may come at once."""

    def __init__(self, limit: RateLimit, redis_url: str | None) -> None:
        self.limit = limit
        self._here = MemoryStorage()
        options = {"connection_pool": redis_link.client.connection_pool, "key_prefix": redis_link.key("limits")}
        self._shared = RedisStorage(redis_url, **options) if redis_url else None

    def hit(self, token_id: str, number: int) -> int:
        """Count placements and return how many are left in this window; below 0 that many were too many."""
        used = self._ask(lambda storage: storage.incr(f"orders:{token_id}", self.limit.period_s, number))
        return self.limit.count - used

    def seconds_left(self, token_id: str) -> int:
        """Return the whole seconds after which the window is over, at least 1."""
        if self.limit.period_s == 1:  # nobody needs to be asked
            return 1
        left = self._ask(lambda storage: storage.get_expiry(f"orders:{token_id}")) - time.time()
        return max(1, min(self.limit.period_s, math.ceil(left)))

    def _ask(self, question: Callable[[Storage], Number]) -> Number:
        """Return what the shared storage answers, or this process's own while Redis is away."""
        shared = self._shared
        answer = redis_link.ask(lambda: question(shared)) if shared is not None else None
        return question(self._here) if answer is None else answer


def register(app: Flask, settings: Settings) -> None:
    """Give the application its limit, when there is one."""
    limit = settings.rate_limit_orders
    app.extensions["placement_limit"] = limit and PlacementLimit(limit, settings.redis_url)
    app.after_request(_tell_what_is_left)


def limited(view: View) -> View:
    """Count a placement of the request's token, or refuse it; stands below @requires.

    One with an Idempotency-Key may be a replay: its view calls `replayed_beyond_limit` before it places.
    """

    @functools.wraps(view)
    def counted(*args: Any, **kwargs: Any) -> Any:
        g.is_beyond_limit = not count_placements(1)
        if g.is_beyond_limit and HEADER not in request.headers:
            raise too_many_placements()
        return view(*args, **kwargs)

    return cast(View, described(problems=(429,))(counted))


def replayed_beyond_limit(account_id: UUID, key: IdempotencyKey | None) -> Placement | None:
    """Return None when the request may place; else what was answered to its key, or refuse."""
    if not g.is_beyond_limit:
        return None
    placement = placed_before(account_id, key) if key else None
    if placement is None:
        raise too_many_placements()
    return placement


def give_back_placement() -> None:
    """Count a placement no longer that was a replay; one beyond the limit stays counted, or windows could be moved."""
    counter = current_app.extensions["placement_limit"]
    if counter is not None and not g.is_beyond_limit:
        g.placements_left = min(counter.limit.count, counter.hit(str(principal().token_id), -1))


def count_placements(number: int) -> int:
    """Count placements of the request's token, and return how many of them may go on."""
    counter = current_app.extensions["placement_limit"]
    if counter is None or not number:
        return number
    token_id = str(principal().token_id)
    left = counter.hit(token_id, number)
    g.placements_left, g.window_s = max(0, left), counter.seconds_left(token_id)
    return max(0, number + min(0, left))


def too_many_placements() -> HttpRefusal:
    """Return the refusal of a placement that may not go on."""
    headers = {"Retry-After": str(g.window_s)}
    return HttpRefusal("rate_limited", headers=headers)


def _tell_what_is_left(response: Response) -> Response:
    """Add the fields of draft-ietf-httpapi-ratelimit-headers-10 (September 2025)."""
    left = g.get("placements_left")
    if left is not None:
        limit = current_app.extensions["placement_limit"].limit
        response.headers["RateLimit-Policy"] = f'"orders";q={limit.count};w={limit.period_s}'
        response.headers["RateLimit"] = f'"orders";r={left};t={g.window_s}'
    return response
