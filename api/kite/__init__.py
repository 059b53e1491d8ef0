"""The second door: the HTTP interface of Kite Connect 3, for bots that were written with its clients."""

from flask import Flask

from . import (
    envelope,
    historical,
    instruments,
    limits,
    margins,
    nothing,
    orders,
    portfolio,
    quotes,
    sessions,
    ticker,
    users,
)
from .paths import KitePaths

# Each has a blueprint of Flask with the prefix /kite, without a description: the door is not in OpenAPI.
RESOURCES = (
    sessions,
    users,
    instruments,
    quotes,
    historical,
    portfolio,
    margins,
    orders,
    ticker,
    nothing,
)


def register(app: Flask) -> None:
    """Add the door to the application."""
    envelope.register(app)
    limits.register(app)
    ticker.register(app)
    for resource in RESOURCES:
        app.register_blueprint(resource.blueprint)
    app.wsgi_app = KitePaths(app.wsgi_app)  # type: ignore[method-assign]
