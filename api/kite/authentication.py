"""Check the tokens of Kite's clients: `Authorization: token <api_key>:<access_token>`."""

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar, cast
from uuid import UUID

from flask import request

from api.http.authentication import current_principal, principal_of_secret, routed
from api.http.facts import request_facts
from api.http.token_cache import Principal
from api.http.token_use import token_uses

from .envelope import BAD_TOKEN, NOT_PERMITTED, KiteRefusal
from .limits import count_request

View = TypeVar("View", bound=Callable[..., Any])

# The api_key may be anything, and no token contains a colon.
TOKEN_PATTERN = re.compile(r"token +[^\r\n]{0,256}:([\x21-\x39\x3b-\x7e]{1,256}) *", re.IGNORECASE)


def requires(scope: str) -> Callable[[View], View]:
    """Return a decorator that refuses requests whose token lacks the scope, `trade` or `read`."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            authenticate(scope)
            return routed(view, *args, **kwargs)

        return cast(View, checked)

    return decorate


def account_id() -> UUID:
    """Return the id of the account of an authenticated request."""
    return cast(UUID, current_principal().account_id)


def authenticate(scope: str) -> None:
    """Note the principal of the request's token, or refuse."""
    match = TOKEN_PATTERN.fullmatch(request.headers.get("Authorization", ""))
    principal = principal_for(match[1] if match else None, scope)
    request_facts().principal = principal
    count_request(principal)
    token_uses.after_response(principal.token_id)


def principal_for(secret: str | None, scope: str) -> Principal:
    """Return the principal of a token for one account with the scope, or refuse; an administrator's token is none."""
    principal = principal_of_secret(secret) if secret else None
    if principal is None or principal.account_id is None:
        raise KiteRefusal("TokenException", BAD_TOKEN, 403)
    if scope not in principal.scopes:
        raise KiteRefusal("PermissionException", NOT_PERMITTED, 403)
    return principal
