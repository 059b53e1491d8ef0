"""The user: the owner of the account."""

import flask
from flask import Response

from schemas.kite.users import profile_of
from trading.accounts.reading import find_account
from trading.rules.errors import NotFound

from .authentication import account_id, requires
from .envelope import success

blueprint = flask.Blueprint("kite_users", __name__, url_prefix="/kite")


@blueprint.get("/user/profile")
@blueprint.get("/user/profile/full")
@requires("read")
def profile() -> Response:
    """Read the profile of the account's owner."""
    row = find_account(account_id())
    if row is None:
        raise NotFound
    return success(profile_of(row))
