"""API tokens: made once, kept as SHA-256 digests, revocable."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from models.database import Row, execute, fetch_one, session, transactional
from models.identifiers import new_id
from trading.errors import NotFound

PREFIX = "tp_"  # lets a secret scanner recognise a leaked token


def digest_of(secret: str) -> bytes:
    """Return the digest under which a token is kept."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


@transactional
def create_token(
    scopes: Sequence[str], account_id: UUID | None = None, expires_at: datetime | None = None
) -> tuple[UUID, str]:
    """Make a token and return its id and its secret, which is not kept; raises NotFound for an unknown account."""
    if account_id is not None and fetch_one("SELECT 1 FROM account WHERE id = %s", (account_id,)) is None:
        raise NotFound
    token_id, secret = new_id(), PREFIX + secrets.token_urlsafe(32)
    execute(
        "INSERT INTO api_token (id, digest, account_id, scopes, expires_at) VALUES (%s, %s, %s, %s, %s)",
        (token_id, digest_of(secret), account_id, list(scopes), expires_at),
    )
    return token_id, secret


@transactional
def revoke_token(token_id: UUID) -> None:
    """Revoke a token; once more does nothing; raises NotFound."""
    touched = execute(
        "UPDATE api_token SET revoked_at = coalesce(revoked_at, clock_timestamp()) WHERE id = %s", (token_id,)
    )
    if not touched:
        raise NotFound


def find_token(secret: str) -> Row | None:
    """Return the row of a token, whatever its state, or None."""
    with session():
        return fetch_one("SELECT * FROM api_token WHERE digest = %s", (digest_of(secret),))


def revoked_since(moment: datetime | None) -> tuple[list[bytes], datetime]:
    """Return the digests of the tokens revoked since a moment of the database's clock, and what to ask with next.

    Ten seconds are asked for twice: a revocation takes its time from before its commit.
    """
    with session():
        row = fetch_one(
            "SELECT clock_timestamp() - interval '10 s' AS asked_at, ARRAY("
            "SELECT digest FROM api_token WHERE revoked_at >= coalesce(%s, clock_timestamp() - interval '10 s')"
            ") AS digests",
            (moment,),
        )
    assert row is not None
    return [bytes(digest) for digest in row["digests"]], row["asked_at"]
