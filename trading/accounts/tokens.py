"""API tokens: stored as SHA-256 digests, revocable."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from datetime import date, datetime
from typing import TypedDict
from uuid import UUID

from models import ApiToken, buckets
from models.database import array_of, execute, fetch_all, fetch_one, session, transactional
from models.identifiers import new_id
from models.rows import TokenRow
from trading.accounts.reading import account_exists
from trading.rules.errors import NotFound, NothingThere

PREFIX = "tp_"  # secret scanners recognise a leaked token by it
# The xmin of a row is the number of the transaction that wrote it, so each change gives it another one.
FIND = "SELECT *, xmin::text AS version FROM api_token WHERE digest = %s"
CHANGED = """
SELECT known.id FROM unnest(%s::uuid[], %s::text[]) AS known (id, version)
LEFT JOIN api_token ON api_token.id = known.id WHERE api_token.xmin::text IS DISTINCT FROM known.version
"""
# A standby may lack a new token, so it reports none as ended.
ENDED = """
SELECT id FROM unnest(%s::uuid[]) AS used (id) WHERE NOT pg_is_in_recovery() AND NOT EXISTS (
    SELECT FROM api_token WHERE api_token.id = used.id AND revoked_at IS NULL
        AND (expires_at IS NULL OR expires_at > clock_timestamp()))
"""
# The first revocation counts.
REVOKE = "UPDATE api_token SET revoked_at = coalesce(revoked_at, statement_timestamp()) WHERE id = %s"
# The start of a list of tokens; the caller adds its conditions.
TOKENS = """
SELECT id, account_id, scopes, created_at, expires_at, revoked_at, last_used_on
FROM api_token LEFT JOIN token_use ON token_id = id
"""
IS_LIVE = "(revoked_at IS NULL AND (expires_at IS NULL OR expires_at > clock_timestamp()))"
# In one order, so that no two processes wait for each other.
NOTE_USES = """
INSERT INTO token_use (token_id, last_used_on)
SELECT id, %(day)s FROM api_token WHERE id = ANY(%(token_ids)s::uuid[]) ORDER BY id
ON CONFLICT (token_id) DO UPDATE SET last_used_on = excluded.last_used_on
    WHERE token_use.last_used_on < excluded.last_used_on
"""


class ListedToken(TypedDict):
    """A token without its digest, and the last day in India on which it was used, None for one that never was."""

    id: UUID
    account_id: UUID | None
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_on: date | None


class KnownToken(TokenRow):
    """A token's row and its version, which is another one after each change of the row."""

    version: str


def digest_of(secret: str) -> bytes:
    """Return the digest of a token's secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def create_token(
    scopes: Sequence[str], account_id: UUID | None = None, expires_at: datetime | None = None
) -> tuple[UUID, str]:
    """Create a token and return its id and its secret, which is not stored; raises NotFound for an unknown account."""
    with nullcontext() if account_id is None else buckets.of(account_id):
        return _create(scopes, account_id, expires_at)


@transactional
def _create(scopes: Sequence[str], account_id: UUID | None, expires_at: datetime | None) -> tuple[UUID, str]:
    if account_id is not None and not account_exists(account_id):
        raise NotFound
    token_id, secret = new_id(), PREFIX + secrets.token_urlsafe(32)
    ApiToken.insert(
        id=token_id, digest=digest_of(secret), account_id=account_id, scopes=list(scopes), expires_at=expires_at
    ).execute()
    return token_id, secret


@transactional
def revoke_token(token_id: UUID) -> None:
    """Revoke a token; a second call changes nothing; raises NothingThere."""
    if not execute(REVOKE, (token_id,)):
        raise NothingThere


def find_token(secret: str) -> KnownToken | None:
    """Return the row of a token in any state, or None for an unknown token."""
    with session():
        return fetch_one(FIND, (digest_of(secret),), KnownToken)


def changed_tokens(versions: dict[UUID, str]) -> set[UUID]:
    """Return the ids of those tokens whose rows have another version now or are gone."""
    with session():
        rows = fetch_all(CHANGED, (array_of(versions), array_of(versions.values())))
    return {row["id"] for row in rows}


def ended_tokens(token_ids: Iterable[UUID]) -> list[UUID]:
    """Return the ids of those tokens that are revoked, expired or unknown; none on a standby."""
    with session():
        return [row["id"] for row in fetch_all(ENDED, (list(token_ids),))]


def tokens_of(account_id: UUID | None, *, with_ended: bool = False) -> list[ListedToken]:
    """Return the tokens of an account, or those without an account, the newest first; raises NotFound.

    The revoked and expired ones are there only with_ended.
    """
    if account_id is not None and not account_exists(account_id):
        raise NotFound
    of_account = f"{TOKENS} WHERE account_id IS NOT DISTINCT FROM %s AND (%s OR {IS_LIVE}) ORDER BY id DESC"
    with session():
        return fetch_all(of_account, (account_id, with_ended), ListedToken)


@transactional
def note_uses(token_ids: Iterable[UUID], day: date) -> None:
    """Note that tokens were used on a day in India; only the first note of a day writes."""
    execute(NOTE_USES, {"token_ids": list(token_ids), "day": day})
