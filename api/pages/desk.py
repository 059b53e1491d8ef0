"""The desk: the page for trading by hand, made of static files."""

from flask import Blueprint, Response

from .files import static_file, static_page

# Flask's own blueprint, so that the OpenAPI document does not list the page.
blueprint = Blueprint("desk", __name__)


@blueprint.get("/")
def page() -> Response:
    """Serve the page."""
    return static_page("desk.html")


@blueprint.get("/static/<path:name>")
def file(name: str) -> Response:
    """Serve a static file of a page."""
    return static_file(name)
