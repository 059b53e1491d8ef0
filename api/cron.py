"""The recovery endpoint: the daily work, executions and expiry in the request itself, without Redis."""

import functools
import time
from collections.abc import Callable
from typing import Any

from flask import Response, current_app

from runtime import metrics
from schemas.operations import SweepRequestSchema, SweepSchema
from trading.day import release
from trading.day.daily import do_daily_work
from trading.execution import expiry
from trading.execution.sweeping import sweep_once
from trading.market.recorded_prices import record_prices
from trading.upkeep.backlog import count_pending

from .http.authentication import check_secret
from .http.description import described
from .http.errors import HttpRefusal
from .http.parsing import Blueprint
from .http.responses import respond

blueprint = Blueprint("cron", __name__, url_prefix="/api/cron", description="Recovery")

SWEEP = SweepSchema()


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
    is_done = do_daily_work()
    release.run_once(limit, calendar=current_app.config["SETTINGS"].market_calendar)
    counts = sweep_once(limit=limit, older_than_ms=0, exclusive=False)
    metrics.count_sweep(by, counts)
    ended = expiry.run_once(limit)
    return {
        "claimed": counts.claimed,
        "executed": counts.executed,
        "rejected": counts.rejected,
        "failed": counts.failed,
        "opened": counts.opened,
        "cancelled": counts.cancelled,
        "expired": counts.expired + ended.expired,
        "remaining": count_pending(),
        "daily_work_done": is_done,
        "duration_ms": round((time.monotonic() - started) * 1000),
    }
