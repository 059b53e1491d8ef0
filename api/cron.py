"""The recovery endpoint: the daily work, executions and expiry in the request itself, without Redis."""

import functools
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from flask import Response, current_app

from models import buckets
from runtime import metrics
from schemas.operations import SweepRequestSchema, SweepSchema
from trading.day import release
from trading.day.daily import do_daily_work
from trading.execution import expiry
from trading.execution.sweeping import SweepCounts, sweep_once
from trading.market.recorded_prices import record_prices
from trading.upkeep.backlog import count_pending

from .http.authentication import check_secret
from .http.description import described
from .http.errors import HttpRefusal
from .http.parsing import Blueprint
from .http.responses import respond

blueprint = Blueprint("cron", __name__, url_prefix="/api/cron", description="Recovery")

SWEEP = SweepSchema()
# Daily work begins in no further bucket of accounts after this time of a request, in each of which it may take 10 s and
# more: hosts end a request after 30 s. The next call begins with other buckets.
DAILY_S = 10.0


def needs_secret(view: Callable[..., Response]) -> Callable[..., Response]:
    """Refuse requests whose bearer token is not the secret of CRON_SECRET."""

    @functools.wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Response:
        secret = current_app.config["SETTINGS"].cron_secret
        if not secret:
            raise HttpRefusal("cron_disabled")
        check_secret(secret)
        return view(*args, **kwargs)

    return checked


@blueprint.get("/order-worker")
@needs_secret
@blueprint.arguments(SweepRequestSchema(), location="query")
@blueprint.response(200, SWEEP)
@described(problems=("cron_disabled",), security=[{"cronSecret": []}])
def sweep_orders(query: dict[str, Any]) -> Response:
    """Do the daily work, execute due orders, the longest due first, and expire others.

    After-market orders whose session has opened are released before. The bearer token is the value of CRON_SECRET.
    """
    return respond(SWEEP, sweep(query["limit"], by="cron"))


def sweep(limit: int, *, by: str) -> dict[str, Any]:
    """Do the due work, at most `limit` orders of each kind, and return the counts; `by` names the caller in metrics."""
    started = time.monotonic()
    record_prices()
    done = _sweep_all(limit, until=started + DAILY_S)
    counts = SweepCounts(*map(sum, zip(*(part.counts for part in done), strict=True)))
    metrics.count_sweep(by, counts)
    return {
        "claimed": counts.claimed,
        "executed": counts.executed,
        "rejected": counts.rejected,
        "failed": counts.failed,
        "opened": counts.opened,
        "cancelled": counts.cancelled,
        "expired": counts.expired + sum(part.expired for part in done),
        "remaining": count_pending(),
        "daily_work_done": all(part.daily_work_done for part in done),
        "duration_ms": round((time.monotonic() - started) * 1000),
    }


class Swept(NamedTuple):
    """The work that was done in a bucket of accounts."""

    daily_work_done: bool
    counts: SweepCounts
    expired: int


def _shares(limit: int) -> Iterator[int]:
    """Yield for each bucket, within it, the most orders to do there: an equal part, and of the rest by chance."""
    shards = list(buckets.shards())
    random.shuffle(shards)
    for place, shard in enumerate(shards):
        with buckets.at(shard):
            yield (limit + place) // len(shards)


def _sweep_all(limit: int, *, until: float) -> list[Swept]:
    """Do each bucket's share, and give the rest of the limit to the buckets that have more to do."""
    done, full = [], []
    for share in _shares(limit):
        is_done = time.monotonic() < until and do_daily_work()
        done.append(Swept(is_done, *_do_orders(share)))
        if done[-1].counts.claimed >= share:
            full.append(buckets.current() or 0)
    for shard in full:
        left = limit - max(sum(part.counts.claimed for part in done), sum(part.expired for part in done))
        if left > 0 and buckets.are_several():
            with buckets.at(shard):
                done.append(Swept(True, *_do_orders(left)))
    return done


def _do_orders(limit: int) -> tuple[SweepCounts, int]:
    """Release, execute and expire the orders of a bucket, at most `limit` of each kind."""
    if not limit:
        return SweepCounts(), 0
    release.run_once(limit, calendar=current_app.config["SETTINGS"].market_calendar)
    counts = sweep_once(limit=limit, older_than_ms=0, exclusive=False)
    return counts, expiry.run_once(limit).expired
