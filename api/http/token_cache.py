"""The tokens that requests bring, remembered by each process for a few seconds."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from trading.accounts.tokens import KnownToken, changed_tokens, digest_of, find_token

# A revocation takes effect within 5 s on every process; the remaining second allows for a slow query.
STALENESS_S = 4.0
CACHE_SIZE = 10_000
# A token stays in use for this long after a request. One query checks the tokens in use, at most so many: it takes
# 3 ms for 1,000 of them.
IN_USE_S = 60.0
MOST_IN_USE = 2_000


@dataclass(frozen=True, slots=True)
class Principal:
    """The sender of a request: a token with its scopes and, for trade and read, its account."""

    token_id: UUID
    account_id: UUID | None
    scopes: frozenset[str]
    expires_at: datetime | None
    is_revoked: bool

    def is_valid(self) -> bool:
        """Return True if the token is neither revoked nor expired."""
        return not self.is_revoked and (self.expires_at is None or self.expires_at > datetime.now(UTC))


class RememberedToken(NamedTuple):
    """A token as the database had it: the time of the query, its principal, the version of its row."""

    asked_at: float
    principal: Principal | None
    version: str


class TokenCache:
    """A cache of tokens by their digest, which asks the database every other second for changed rows.

    Each token is looked up once; one query then checks the rows of all tokens in use: those of the last IN_USE_S, at
    most MOST_IN_USE. Any other token, and an unknown one, is looked up again after staleness_s. While the database
    cannot answer, no entry older than staleness_s is used.
    """

    def __init__(self, size: int, staleness_s: float) -> None:
        self.size = size
        self.staleness_s = staleness_s
        self.entries: OrderedDict[bytes, RememberedToken] = OrderedDict()
        self.lock = threading.Lock()
        self._asking = threading.Lock()
        self._asked_at = 0.0
        self._used_at: OrderedDict[bytes, float] = OrderedDict()  # the tokens in use; the last one used is the last

    def find(self, secret: str) -> Principal | None:
        """Return the token's principal, valid or not, or None for an unknown token."""
        digest = digest_of(secret)
        now = time.monotonic()
        self._ask_for_changes(now)
        entry = self.entries.get(digest)
        if entry is None or now - entry.asked_at > self.staleness_s:
            # The time of the question counts: the answer may be older than its arrival.
            self._keep(digest, entry := _remembered(now, find_token(secret)))
        if entry.principal:
            self._note_use(digest, now)
        return entry.principal

    def forget(self) -> None:
        """Remove every entry, so that the next request asks the database."""
        with self.lock:
            self.entries.clear()

    def _ask_for_changes(self, now: float) -> None:
        """Remove the entries that have changed, and renew the rest, if it is time to ask."""
        if now - self._asked_at > self.staleness_s / 2 and self._asking.acquire(blocking=False):
            try:
                self._drop_changed(now)
                self._asked_at = now
            finally:
                self._asking.release()

    def _drop_changed(self, now: float) -> None:
        entries = {digest: entry for digest in self._in_use(now) if (entry := self.entries.get(digest))}
        versions = {entry.principal.token_id: entry.version for entry in entries.values() if entry.principal}
        changed = changed_tokens(versions) if versions else set()
        with self.lock:
            for digest, entry in entries.items():
                if self.entries.get(digest) is not entry:
                    continue
                if entry.principal and entry.principal.token_id in changed:
                    del self.entries[digest]
                else:
                    self.entries[digest] = entry._replace(asked_at=now)

    def _note_use(self, digest: bytes, now: float) -> None:
        with self.lock:
            self._used_at[digest] = now
            self._used_at.move_to_end(digest)

    def _in_use(self, now: float) -> list[bytes]:
        with self.lock:
            while self._used_at:
                oldest = next(iter(self._used_at))
                if len(self._used_at) <= MOST_IN_USE and now - self._used_at[oldest] <= IN_USE_S:
                    break
                del self._used_at[oldest]
            return list(self._used_at)

    def _keep(self, digest: bytes, entry: RememberedToken) -> None:
        with self.lock:
            self.entries.pop(digest, None)
            if len(self.entries) >= self.size:
                self.entries.popitem(last=False)  # the oldest lookup
            self.entries[digest] = entry


def _remembered(asked_at: float, row: KnownToken | None) -> RememberedToken:
    if row is None:
        return RememberedToken(asked_at, None, "")
    principal = Principal(
        token_id=row["id"],
        account_id=row["account_id"],
        scopes=frozenset(row["scopes"]),
        expires_at=row["expires_at"],
        is_revoked=row["revoked_at"] is not None,
    )
    return RememberedToken(asked_at, principal, row["version"])


token_cache = TokenCache(CACHE_SIZE, STALENESS_S)
