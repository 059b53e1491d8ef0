"""Request ids, response headers, metrics and timings of every request."""

import functools
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import Flask, Response, request
from structlog.contextvars import bind_contextvars

from models.identifiers import random_id
from runtime import metrics, redis_link
from runtime.timing import Stopwatch, timed

from .facts import RequestFacts, begin_request, request_facts
from .placement_log import Measured, Refusal, log_accepted, log_refused

View = TypeVar("View", bound=Callable[..., Any])

REQUEST_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,64}")
STEPS = ("parse", "session", "schema", "place", "dispatch", "stock", "margin", "reserve", "order", "ledger", "commit")
TIMING = ", ".join(f"{name};dur=%.3f" for name in STEPS)
HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
    # A response of the API is not a page; pages have a policy of their own.
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)
STREAMS = ("streams.stream", "kite_ticker.ticker")  # websockets: a request lasts as long as its connection
# Two years, as the preload list asks for (hstspreload.org, read 2026-11).
STRICT_TRANSPORT = "max-age=63072000; includeSubDomains"


def register(app: Flask) -> None:
    """Observe every request of the application."""
    app.before_request(_begin)
    app.after_request(_finish)


def timed_placement(view: View) -> View:
    """Time the steps of a placement, accepted or refused; stands above every other decorator."""

    @functools.wraps(view)
    def run(*args: Any, **kwargs: Any) -> Any:
        with timed() as watch:
            request_facts().stopwatch = watch
            return view(*args, **kwargs)

    return cast(View, run)


def _begin() -> None:
    began_at, environ = time.perf_counter(), request.environ
    given = environ.get("HTTP_X_REQUEST_ID", "")
    request_id = given if REQUEST_ID_PATTERN.fullmatch(given) else random_id().hex
    begin_request(request_id, began_at, environ)
    # It replaces the only variable of the thread's previous request.
    bind_contextvars(request_id=request_id)
    redis_link.allow(redis_link.REQUEST_S)


def _finish(response: Response) -> Response:
    facts = request_facts()
    headers = [("X-Request-Id", facts.request_id), *(facts.page_headers or HEADERS)]
    environ = facts.environ
    if environ["wsgi.url_scheme"] == "https" or environ.get("HTTP_X_FORWARDED_PROTO") == "https":
        headers.append(("Strict-Transport-Security", STRICT_TRANSPORT))
    if (watch := facts.stopwatch) is not None:
        headers.append(("Server-Timing", server_timing(watch)))
        if not facts.placement_is_logged:
            _log_placement(facts, response.status_code, watch)
    response.headers.extend(headers)
    _count(request.endpoint or "none", response, facts.began_at)
    redis_link.allow(None)
    return response


def _count(endpoint: str, response: Response, began_at: float) -> None:
    if endpoint not in STREAMS:
        request_metric = metrics.of(metrics.REQUESTS, endpoint, f"{response.status_code // 100}xx")
        request_metric.observe(time.perf_counter() - began_at)


def server_timing(watch: Stopwatch) -> str:
    """Return the Server-Timing header: every step in milliseconds, 0 for a step that was not reached."""
    return TIMING % tuple([watch.steps.get(name, 0.0) for name in STEPS])


def _log_placement(facts: RequestFacts, status: int, watch: Stopwatch) -> None:
    measured = Measured(status, (time.perf_counter() - facts.began_at) * 1000, watch)
    if facts.placed_order is not None:
        log_accepted(facts.placed_order, measured, is_replay=facts.is_replayed)
    else:
        account_id = facts.principal and facts.principal.account_id
        log_refused(Refusal(facts.problem_code, facts.problem_fields, account_id, facts.wanted_order), measured)
