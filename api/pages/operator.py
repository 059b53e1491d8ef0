"""The operator's page, made of plain files."""

from flask import Blueprint, Response

from .files import static_page

# Flask's own blueprint: a page is no part of the API.
blueprint = Blueprint("ops", __name__)


@blueprint.get("/ops")
def page() -> Response:
    """Serve the page."""
    return static_page("ops.html")
