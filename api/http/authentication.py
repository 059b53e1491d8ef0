"""Check bearer tokens, and find the account for which a request acts."""

import contextlib
import functools
import hmac
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar, cast
from uuid import UUID

from models import buckets
from models.database import session, snapshot
from trading.accounts.reading import account_exists
from trading.rules.errors import NotFound

from .description import note
from .errors import HttpRefusal, invalid
from .facts import request_facts
from .token_cache import Principal, token_cache
from .token_use import token_uses

View = TypeVar("View", bound=Callable[..., Any])

BEARER_PATTERN = re.compile(r"bearer +([\x21-\x7e]{1,256}) *", re.IGNORECASE)


def requires(*scopes: str) -> Callable[[View], View]:
    """Return a decorator that refuses requests whose token has none of the scopes; no scopes allow any token."""
    accepted = frozenset(scopes)

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            authenticate(accepted)
            return routed(view, *args, **kwargs)

        # One entry for each scope: one of them is enough.
        return cast(View, note(checked, security=[{"token": [scope]} for scope in scopes] or [{"token": []}]))

    return decorate


def routed(view: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return the view's answer; its sessions are of the bucket of the account for which the request acts."""
    if not buckets.are_several():
        return view(*args, **kwargs)
    facts = request_facts()
    with contextlib.ExitStack() as facts.routes:
        facts.routes.callback(setattr, facts, "routes", None)
        own = current_principal().account_id
        if own is not None:
            _route_to(own)
        return view(*args, **kwargs)


def _route_to(account_id: UUID) -> None:
    """Let the request's next sessions be of this account's bucket; a request without a view has no sessions."""
    if (routes := request_facts().routes) is not None:
        routes.enter_context(buckets.of(account_id))


def current_principal() -> Principal:
    """Return the principal of an authenticated request."""
    return cast(Principal, request_facts().principal)


def requested_account_id(named: UUID | None, part: str = "query") -> UUID:
    """Return the id of the account for which the request acts; whether it exists is not checked.

    `named` is the tradingAccountId of the request, and `part` the part of the request that may name it. The sessions
    that open afterwards are of the account's bucket.
    """
    account_id = account_id_for(current_principal(), named, part)
    if current_principal().account_id is None:
        _route_to(account_id)
    return account_id


def account_id_for(principal: Principal, named: UUID | None, part: str = "query") -> UUID:
    """Return the id of the account for which a principal acts; refuse a foreign account, or an admin who names none."""
    own = principal.account_id
    if own is None:
        if named is None:
            raise invalid({"tradingAccountId": [f"Required with an admin token, in the {part}."]})
        return named
    if named is not None and named != own:
        raise NotFound
    return own


@contextlib.contextmanager
def existing_account_session(named: UUID | None) -> Iterator[UUID]:
    """Open a session for one statement and yield the id of the request's account, which is known to exist.

    An account that an admin token names is looked up first, in the same snapshot.
    """
    account_id = requested_account_id(named)
    if current_principal().account_id is not None:
        with session():
            yield account_id
        return
    with snapshot():
        if not account_exists(account_id):
            raise NotFound
        yield account_id


def bearer_secret() -> str | None:
    """Return the secret of the Authorization header, or None."""
    match = BEARER_PATTERN.fullmatch(request_facts().environ.get("HTTP_AUTHORIZATION", ""))
    return match[1] if match else None


def check_secret(wanted: str) -> None:
    """Refuse a request whose bearer token is not this secret."""
    given = bearer_secret()
    # Bytes: compare_digest refuses texts that are not ASCII.
    if given is None or not hmac.compare_digest(given.encode(), wanted.encode()):
        raise unauthenticated("The secret is missing or wrong.")


def unauthenticated(detail: str) -> HttpRefusal:
    """Return the refusal of a request without a valid token."""
    return HttpRefusal("unauthenticated", detail, headers={"WWW-Authenticate": 'Bearer realm="tradepost"'})


def authenticate(scopes: frozenset[str]) -> None:
    """Note the principal of the request's bearer token, or refuse; the token needs one of the scopes, if any."""
    secret = bearer_secret()
    if secret is None:
        raise unauthenticated("A bearer token is required, in the header Authorization: Bearer <token>.")
    principal = principal_of_secret(secret)
    if principal is None:
        raise unauthenticated("The token is unknown, expired or revoked.")
    if scopes and scopes.isdisjoint(principal.scopes):
        raise HttpRefusal("forbidden", f"A token with the scope {_either(sorted(scopes))} is required.")
    request_facts().principal = principal
    token_uses.after_response(principal.token_id)


def principal_of_secret(secret: str) -> Principal | None:
    """Return the principal of a token, or None if the token is unknown, expired or revoked."""
    found = token_cache.find(secret)
    return found if found is not None and found.is_valid() else None


def _either(scopes: Iterable[str]) -> str:
    return " or ".join(f"`{scope}`" for scope in scopes)
