"""Sessions: a token of this service is request_token, refresh_token and access_token in one."""

from datetime import UTC, datetime

import flask
from flask import Response

from api.http.facts import request_facts
from api.http.token_cache import Principal
from api.http.token_use import token_uses
from schemas.kite.users import session_of
from trading.accounts.reading import find_account

from . import forms
from .authentication import principal_for
from .envelope import KiteRefusal, success

blueprint = flask.Blueprint("kite_sessions", __name__, url_prefix="/kite")

NOT_VALID = "Token is invalid or has expired."


@blueprint.post("/session/token")
def begin() -> Response:
    """Answer the request_token, which is a token of this service, with itself as the access_token."""
    return _session("request_token")


@blueprint.post("/session/refresh_token")
def renew() -> Response:
    """Answer the refresh_token, which is a token of this service, with itself as the access_token."""
    return _session("refresh_token")


@blueprint.delete("/session/token")
def end() -> Response:
    """Say yes to the end of a session; a token of this service is revoked by the first door only, and lives on."""
    given = forms.values()
    name = "access_token" if "access_token" in given else "refresh_token"
    forms.required(given, name)
    _principal(given[name])
    return success(True)


def _session(name: str) -> Response:
    given = forms.values()
    forms.required(given, "api_key", name)
    secret = given[name]
    principal = _principal(secret)
    row = find_account(principal.account_id) if principal.account_id else None
    if row is None:
        raise KiteRefusal("TokenException", NOT_VALID, 403)
    return success(session_of(row, given["api_key"], secret, datetime.now(UTC)))


def _principal(secret: str) -> Principal:
    """Return the principal of a token that reads; the checksum is not checked, since no secret is kept in clear."""
    try:
        principal = principal_for(secret, "read")
    except KiteRefusal as refusal:
        if refusal.error_type == "TokenException":
            raise KiteRefusal("TokenException", NOT_VALID, 403) from None
        raise
    request_facts().principal = principal
    token_uses.after_response(principal.token_id)
    return principal
