"""Limit placements per token: counted in Redis for all processes, or in this process while Redis is unreachable."""

import functools
import math
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast
from uuid import UUID

from flask import Flask, Response, current_app, request
from limits.storage import MemoryStorage, RedisStorage, Storage

from config import RateLimit, Settings
from runtime import redis_link
from trading.accounts.idempotency import IdempotencyKey
from trading.orders.placement import placed_before
from trading.orders.placement_types import Placement

from .authentication import current_principal
from .description import described
from .errors import HttpRefusal
from .facts import request_facts
from .idempotency import HEADER

Number = TypeVar("Number", int, float)
View = TypeVar("View", bound=Callable[..., Any])


class SharedStorage(RedisStorage):
    """The counts in Redis; the stock storage also imports a client of Valkey if one is installed, which takes 0.1 s."""

    DEPENDENCIES = {"redis": RedisStorage.DEPENDENCIES["redis"]}


class SharedLimit:
    """A limit on what one subject does in each window of one period; a burst may use a whole window at once."""

    def __init__(self, name: str, limit: RateLimit, redis_url: str | None) -> None:
        self.name = name
        self.limit = limit
        self._here = MemoryStorage()
        pool, prefix = redis_link.client.connection_pool, redis_link.key("limits")
        self._shared = SharedStorage(redis_url, pool, key_prefix=prefix) if redis_url else None

    def hit(self, subject: str, number: int) -> int:
        """Count for a subject and return the number left in this window; a negative number is that many too many."""
        used = self._ask(lambda storage: storage.incr(f"{self.name}:{subject}", self.limit.period_s, number))
        return self.limit.count - used

    def seconds_left(self, subject: str) -> int:
        """Return the whole seconds until the window ends, at least 1."""
        if self.limit.period_s == 1:  # no need to ask Redis
            return 1
        left = self._ask(lambda storage: storage.get_expiry(f"{self.name}:{subject}")) - time.time()
        return max(1, min(self.limit.period_s, math.ceil(left)))

    def _ask(self, question: Callable[[Storage], Number]) -> Number:
        """Return the answer of the shared storage, or of this process's own storage while Redis is unreachable."""
        shared = self._shared
        answer = redis_link.ask(lambda: question(shared)) if shared is not None else None
        return question(self._here) if answer is None else answer


def register(app: Flask, settings: Settings) -> None:
    """Set up the application's limit, if the settings have one."""
    limit = settings.rate_limit_orders
    app.extensions["placement_limit"] = limit and SharedLimit("orders", limit, settings.redis_url)
    app.after_request(_add_headers)


def limited(view: View) -> View:
    """Count the placement for the request's token, and refuse it beyond the limit; stands below @requires.

    A placement with an Idempotency-Key may be a replay: its view calls `replayed_beyond_limit` before it places.
    """

    @functools.wraps(view)
    def counted(*args: Any, **kwargs: Any) -> Any:
        request_facts().is_beyond_limit = is_beyond_limit = not count_placements(1)
        if is_beyond_limit and HEADER not in request.headers:
            raise too_many_placements()
        return view(*args, **kwargs)

    return cast(View, described(problems=("rate_limited",))(counted))


def replayed_beyond_limit(account_id: UUID, key: IdempotencyKey | None) -> Placement | None:
    """Return None within the limit; beyond it return the earlier placement of the key, or refuse."""
    if not request_facts().is_beyond_limit:
        return None
    placement = placed_before(account_id, key) if key else None
    if placement is None:
        raise too_many_placements()
    return placement


def give_back_placement() -> None:
    """Take a replay out of the count; beyond the limit it stays counted, else replays would reopen the window."""
    counter, facts = current_app.extensions["placement_limit"], request_facts()
    if counter is not None and not facts.is_beyond_limit:
        facts.placements_left = min(counter.limit.count, counter.hit(str(current_principal().token_id), -1))


def count_placements(number: int) -> int:
    """Count placements for the request's token, and return the number of them within the limit."""
    counter = current_app.extensions["placement_limit"]
    if counter is None or not number:
        return number
    token_id, facts = str(current_principal().token_id), request_facts()
    left: int = counter.hit(token_id, number)
    facts.placements_left, facts.window_s = max(0, left), counter.seconds_left(token_id)
    return max(0, number + min(0, left))


def too_many_placements() -> HttpRefusal:
    """Return the refusal of a placement beyond the limit."""
    headers = {"Retry-After": str(request_facts().window_s)}
    return HttpRefusal("rate_limited", headers=headers)


def _add_headers(response: Response) -> Response:
    """Add the fields of draft-ietf-httpapi-ratelimit-headers-10 (September 2025)."""
    facts = request_facts()
    if facts.placements_left is not None:
        limit = current_app.extensions["placement_limit"].limit
        response.headers["RateLimit-Policy"] = f'"orders";q={limit.count};w={limit.period_s}'
        response.headers["RateLimit"] = f'"orders";r={facts.placements_left};t={facts.window_s}'
    return response
