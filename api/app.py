"""Build the web application from the settings."""

import functools
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface
from flask_cors import CORS
from flask_smorest import Api
from werkzeug.exceptions import NotFound
from werkzeug.routing import MapAdapter, RequestRedirect

import config
from actors import broker
from models import database
from runtime import database_url, telemetry
from schemas.problems import ProblemSchema

from . import account, admin, cron, health, kite, market, metrics, operations, orders, positions, realtime, trades
from .commands import cli
from .http import converters, errors, observability, proxies, rate_limits, traces
from .http.responses import CompactProvider, encode
from .pages import desk, operator
from .reference import asyncapi, docs_page, event_schemas, openapi, sections

EXPOSED_HEADERS = [
    "Content-Disposition",
    "ETag",
    "Idempotent-Replayed",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Server-Timing",
    "X-Request-Id",
]
# Hosts that are certain to be valid, as most are: Flask checks the others, and refuses some.
PLAIN_HOST = re.compile(r"[a-z0-9-]{1,60}(\.[a-z0-9-]{1,60}){0,5}(:[0-9]{1,5})?")
RESOURCES = (orders, trades, positions, account, market, admin, operations, cron, realtime, health, metrics)


class DocumentedApi(Api):
    """The description of the API; api.http.errors handles the errors.

    The routes are described when somebody asks for the document: that takes a fifth of a web process's start.
    """

    ERROR_SCHEMA = ProblemSchema
    # Each route names its own problems; see api.http.description.
    DEFAULT_ERROR_RESPONSE_NAME = None
    DEFAULT_RESPONSE_CONTENT_TYPE = "application/json"

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self._document: dict[str, Any] | None = None
        self._lock = threading.Lock()

    def _openapi_json(self) -> Response:
        return Response(self._text, content_type="application/json")

    @property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document."""
        with self._lock:
            if self._document is None:
                self._document = self._described()
            return self._document

    def _described(self) -> dict[str, Any]:
        self.spec.options["info"] = {"description": sections.description(), "license": {"name": "MIT"}}
        event_schemas.register(self.spec)
        for resource in RESOURCES:
            blueprint = resource.blueprint
            blueprint.register_views_in_doc(self, self._app, self.spec, name=blueprint.name, parameters=None)
            self.spec.tag({"name": blueprint.name, "description": blueprint.description})
        names: dict[tuple[type, ...], str] = self.ma_plugin.converter.refs
        return openapi.complete(self.spec.to_dict(), {name: schema[0] for schema, name in names.items()})

    @functools.cached_property
    def _text(self) -> str:
        return encode(self.document)


class NoSessions(SessionInterface):
    """The sessions of a service without cookies."""

    none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        """Return the session of every request, which is empty and never saved."""
        del app, request
        return self.none


class TradepostFlask(Flask):
    """A Flask application with compact JSON and without redirects, sessions, coroutines and hosts of routes."""

    json_provider_class = CompactProvider
    session_interface = NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is; Flask would look whether it is a coroutine, five times a request."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return the search for the route of a request, which goes by the path and the method alone.

        Flask's own takes the Host header apart for it, twice.
        """
        if request is None:
            return None
        environ = request.environ
        if "HTTP_UPGRADE" in environ or not PLAIN_HOST.fullmatch(environ.get("HTTP_HOST", "")):
            return super().create_url_adapter(request)
        scheme, path = environ["wsgi.url_scheme"], environ["PATH_INFO"] and request.path
        return MapAdapter(self.url_map, "", "/", "", scheme, path, environ["REQUEST_METHOD"])

    def raise_routing_exception(self, request: Request) -> NoReturn:
        """Raise NotFound for a path that lacks only its final slash; Flask would redirect it, in HTML."""
        if isinstance(request.routing_exception, RequestRedirect):
            raise NotFound
        super().raise_routing_exception(request)


def create_app(settings: config.Settings | None = None) -> Flask:
    """Return the application; it connects to nothing before the first request."""
    settings = settings or config.settings_or_exit(database_url.check)
    if settings.database_url is not None:
        # A request holds one connection at a time, and none while it uses Redis.
        pool_size, shards = settings.database_pool_size, settings.shards
        database.initialise(settings.database_url, pool_size=pool_size, application_name="tradepost-web", shards=shards)
    broker.configure(settings, role="web")
    telemetry.begin(settings, "web")  # before anything counts
    app = _new_app(settings)
    observability.register(app)
    _allow_origins(app, settings.allowed_origins)
    _register_resources(app)
    metrics.register(app, settings)
    realtime.register(app)
    traces.register(app)
    kite.register(app)
    app.wsgi_app = proxies.TrustedProxies(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]
    rate_limits.register(app, settings)
    for pages in (desk.blueprint, operator.blueprint, docs_page.blueprint, asyncapi.blueprint):
        app.register_blueprint(pages)
    errors.register(app)
    cli.register(app)
    return app


def _new_app(settings: config.Settings) -> Flask:
    app = TradepostFlask("tradepost", static_folder=None)
    app.config.update(
        SETTINGS=settings,
        API_TITLE="Tradepost",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
    )
    # A path with an empty segment is unknown; werkzeug would redirect it, or respond 405 for an unknown path.
    app.url_map.merge_slashes = False
    app.url_map.converters |= {"opaque_uuid": converters.OpaqueUuid, "opaque_word": converters.OpaqueWord}
    return app


def _allow_origins(app: Flask, origins: Iterable[str]) -> None:
    # As patterns: flask-cors takes an IPv6 address in brackets for a pattern.
    patterns = [re.compile(rf"{re.escape(origin)}\Z") for origin in origins]
    if patterns:
        # No credentials: the page sends its token in a header, never in a cookie.
        CORS(app, origins=patterns, expose_headers=EXPOSED_HEADERS, max_age=600)


def _register_resources(app: Flask) -> None:
    api = app.extensions["documented_api"] = DocumentedApi(app)
    api.register_converter(converters.OpaqueUuid, converters.describe_opaque_uuid)
    api.register_converter(converters.OpaqueWord, converters.describe_opaque_word)
    for resource in RESOURCES:
        app.register_blueprint(resource.blueprint)
