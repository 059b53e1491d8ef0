"""The operator's page, made of static files."""

from flask import Blueprint, Response

from .files import static_page

# Flask's own blueprint, so that the OpenAPI document does not list the page.
blueprint = Blueprint("ops", __name__)


@blueprint.get("/ops")
def page() -> Response:
    """Serve the page."""
    return static_page("ops.html")
