"""The recovery endpoint: execute what is PENDING, in the request itself, without Redis."""

import hmac
import time
from typing import Any

from flask import Response, current_app

from schemas.operations import SweepRequestSchema, SweepSchema
from trading.sweeping import count_pending, sweep_once

from .answers import answer
from .auth import bearer_secret, unauthenticated
from .errors import HttpRefusal
from .parsing import Blueprint, load, read_query

blueprint = Blueprint("cron", __name__, url_prefix="/api/cron", description="Recovery")

SWEEP, SWEEP_REQUEST = SweepSchema(), SweepRequestSchema()


@blueprint.get("/order-worker")
@blueprint.response(200, SWEEP)
def sweep_orders() -> Response:
    """Execute PENDING orders, oldest first; needs the secret that CRON_SECRET holds."""
    _check_secret(current_app.config["SETTINGS"].cron_secret)
    limit = load(SWEEP_REQUEST, *read_query())["limit"]
    started = time.monotonic()
    counts = sweep_once(limit=limit, older_than_ms=0, exclusive=False)
    report: dict[str, Any] = {
        "claimed": counts.claimed,
        "executed": counts.executed,
        "rejected": counts.rejected,
        "failed": counts.failed,
        "remaining": count_pending(),
        "duration_ms": round((time.monotonic() - started) * 1000),
    }
    return answer(SWEEP, report)


def _check_secret(secret: str | None) -> None:
    if not secret:
        raise HttpRefusal("cron_disabled", "No secret is configured for this endpoint.")
    given = bearer_secret()
    # Bytes: compare_digest refuses texts that are not ASCII.
    if given is None or not hmac.compare_digest(given.encode(), secret.encode()):
        raise unauthenticated("The secret is missing or wrong.")
