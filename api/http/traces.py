"""The traces of requests, which continue a request's traceparent (W3C Trace Context)."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Response, request

from runtime import tracing

from .facts import request_facts

# Requests of monitoring, static files, and streams that may last all day.
UNTRACED = ("/health/", "/metrics", "/static/", "/api/trading/stream", "/kite/ticker")


def register(app: Flask) -> None:
    """Trace every request of the application if this process traces."""
    if tracing.is_on():
        app.wsgi_app = traced(app.wsgi_app)  # type: ignore[method-assign, assignment]
        app.after_request(_describe)


def traced(application: WSGIApplication) -> WSGIApplication:
    """Return the application with a span around each request."""

    def run(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
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
