"""Check bearer tokens, and say which account a request speaks for."""

import contextlib
import functools
import hmac
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar, cast
from uuid import UUID

from flask import g, request

from models.database import session, snapshot
from trading.accounts.reading import account_exists
from trading.accounts.tokens import KnownToken, changed_tokens, digest_of, find_token

from .description import note
from .errors import HttpRefusal, invalid, not_found

View = TypeVar("View", bound=Callable[..., Any])

# A revocation takes effect within 5 s on every process; the second left over is for a slow query.
STALENESS_S = 4.0
CACHE_SIZE = 10_000
BEARER_PATTERN = re.compile(r"bearer +([\x21-\x7e]{1,256}) *", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sends a request: a token with its scopes and, for trade and read, its account."""

    token_id: UUID
    account_id: UUID | None
    scopes: frozenset[str]
    expires_at: datetime | None
    is_revoked: bool

    def is_valid(self) -> bool:
        """Tell whether the token may still be used."""
        return not self.is_revoked and (self.expires_at is None or self.expires_at > datetime.now(UTC))


class Remembered(NamedTuple):
    """What the database said about a token, when it was asked, and the version of the row that said so."""

    asked_at: float
    principal: Principal | None
    version: str


class TokenCache:
    """Remember what the database said about tokens, and ask it every other second what has changed since.

    A token is looked up once; whether its row is still the same is then asked by one query for all that
    are in use. One that was not in use, and an unknown one, is looked up again after staleness_s. When
    the question cannot be asked, nothing older than staleness_s is believed.
    """

    def __init__(self, size: int, staleness_s: float) -> None:
        self.size = size
        self.staleness_s = staleness_s
        self.entries: OrderedDict[bytes, Remembered] = OrderedDict()
        self.lock = threading.Lock()
        self._asking = threading.Lock()
        self._asked_at = 0.0
        self._used: set[bytes] = set()

    def find(self, secret: str) -> Principal | None:
        """Return the token's principal, valid or not, or None for an unknown token."""
        digest = digest_of(secret)
        now = time.monotonic()
        self._ask_for_changes(now)
        entry = self.entries.get(digest)
        if entry is None or now - entry.asked_at > self.staleness_s:
            # The time is taken before the question: the answer may be older than its arrival.
            self._keep(digest, entry := _remembered(now, find_token(secret)))
        if entry.principal:
            self._used.add(digest)
        return entry.principal

    def forget(self) -> None:
        """Forget everything, so that the next request asks the database."""
        with self.lock:
            self.entries.clear()

    def _ask_for_changes(self, now: float) -> None:
        """Forget what has changed, and trust the rest anew, if it is time to ask."""
        if now - self._asked_at > self.staleness_s / 2 and self._asking.acquire(blocking=False):
            try:
                self._drop_changed(now)
                self._asked_at = now
            finally:
                self._asking.release()

    def _drop_changed(self, now: float) -> None:
        used = set(self._used)
        entries = {digest: entry for digest in used if (entry := self.entries.get(digest))}
        versions = {entry.principal.token_id: entry.version for entry in entries.values() if entry.principal}
        changed = changed_tokens(versions) if versions else set()
        self._used -= used
        with self.lock:
            for digest, entry in entries.items():
                if self.entries.get(digest) is not entry:
                    continue
                if entry.principal and entry.principal.token_id in changed:
                    del self.entries[digest]
                else:
                    self.entries[digest] = entry._replace(asked_at=now)

    def _keep(self, digest: bytes, entry: Remembered) -> None:
        with self.lock:
            self.entries.pop(digest, None)
            if len(self.entries) >= self.size:
                self.entries.popitem(last=False)  # the one that was asked for longest ago
            self.entries[digest] = entry


tokens = TokenCache(CACHE_SIZE, STALENESS_S)


def requires(*scopes: str) -> Callable[[View], View]:
    """Let a request through whose token has one of these scopes, any token when none is named."""
    accepted = frozenset(scopes)

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            authenticate(accepted)
            return view(*args, **kwargs)

        # One entry for each scope: any of them will do.
        return cast(View, note(checked, security=[{"token": [scope]} for scope in scopes] or [{"token": []}]))

    return decorate


def principal() -> Principal:
    """Return who sent the request."""
    return cast(Principal, g.principal)


def account_named(named: UUID | None) -> UUID:
    """Return the account that a request is for; whether it exists is for the caller to find out."""
    return account_of(principal(), named)


def account_of(principal: Principal, named: UUID | None) -> UUID:
    """Return the account that somebody speaks for, who may have named one."""
    own = principal.account_id
    if own is None:
        if named is None:
            raise invalid({"tradingAccountId": ["Required with an admin token."]})
        return named
    if named is not None and named != own:
        raise not_found()
    return own


@contextlib.contextmanager
def listed_account(named: UUID | None) -> Iterator[UUID]:
    """Open a session for one statement about the account that a list is for, which exists.

    An account that an administrator names is looked for first, in the same snapshot.
    """
    account_id = account_named(named)
    if principal().account_id is not None:
        with session():
            yield account_id
        return
    with snapshot():
        if not account_exists(account_id):
            raise not_found()
        yield account_id


def bearer_secret() -> str | None:
    """Return the secret of the Authorization header, or None."""
    match = BEARER_PATTERN.fullmatch(request.headers.get("Authorization", ""))
    return match[1] if match else None


def check_secret(wanted: str) -> None:
    """Refuse a request that does not bring this secret as its bearer token."""
    given = bearer_secret()
    # Bytes: compare_digest refuses texts that are not ASCII.
    if given is None or not hmac.compare_digest(given.encode(), wanted.encode()):
        raise unauthenticated("The secret is missing or wrong.")


def unauthenticated(detail: str) -> HttpRefusal:
    """Return the refusal of a request without a good token."""
    return HttpRefusal("unauthenticated", detail, headers={"WWW-Authenticate": 'Bearer realm="tradepost"'})


def authenticate(scopes: frozenset[str]) -> None:
    """Let the request's bearer token speak for it, or refuse; it needs one of the scopes, when there are any."""
    secret = bearer_secret()
    if secret is None:
        raise unauthenticated("A bearer token is needed.")
    found = principal_of_secret(secret)
    if found is None:
        raise unauthenticated("The token is unknown, expired or revoked.")
    if scopes and scopes.isdisjoint(found.scopes):
        raise HttpRefusal("forbidden", f"This needs a token with the scope {_either(sorted(scopes))}.")
    g.principal = found


def principal_of_secret(secret: str) -> Principal | None:
    """Return whom a token speaks for, None when it is unknown, expired or revoked."""
    found = tokens.find(secret)
    return found if found is not None and found.is_valid() else None


def _remembered(asked_at: float, row: KnownToken | None) -> Remembered:
    if row is None:
        return Remembered(asked_at, None, "")
    principal = Principal(
        token_id=row["id"],
        account_id=row["account_id"],
        scopes=frozenset(row["scopes"]),
        expires_at=row["expires_at"],
        is_revoked=row["revoked_at"] is not None,
    )
    return Remembered(asked_at, principal, row["version"])


def _either(scopes: Iterable[str]) -> str:
    return " or ".join(f"`{scope}`" for scope in scopes)
