"""Trace requests, from the traceparent that they bring (W3C Trace Context)."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response, request

from config import Settings
from runtime import tracing

from .facts import request_facts

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

# What is asked all day, and what may last as long.
UNTRACED = ("/health/", "/metrics", "/static/", "/api/trading/stream")


def register(app: Flask, settings: Settings) -> None:
    """Trace every request of the application when that is wanted."""
    tracing.configure("tradepost-web", wanted=settings.tracing)
    if tracing.is_on():
        app.wsgi_app = traced(app.wsgi_app)  # type: ignore[method-assign, assignment]
        app.after_request(_describe)


def traced(application: Application) -> Application:
    """Open a span around each request."""

    def run(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith(UNTRACED):
            return application(environ, start_response)
        method, parent = environ["REQUEST_METHOD"], environ.get("HTTP_TRACEPARENT")
        with tracing.span(method, "SERVER", parent=parent, attributes={"http.request.method": method}):
            return application(environ, start_response)

    return run


def _describe(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else "/"
    attributes: dict[str, str | int] = {
        "http.route": route,
        "http.response.status_code": response.status_code,
        "tradepost.request_id": request_facts().request_id,
    }
    tracing.describe(f"{request.method} {route}", attributes, failed=response.status_code >= 500)
    return response
