"""The desk: one page on which a person trades, made of plain files."""

from flask import Blueprint, Response

from .files import static_page

# Flask's own blueprint: the page is no part of the API, so none of its description.
blueprint = Blueprint("desk", __name__)


@blueprint.get("/")
def page() -> Response:
    """Serve the page."""
    return static_page("desk.html")


@blueprint.get("/static/<path:name>")
def file(name: str) -> Response:
    """Serve a part of the page."""
    return static_page(name)
