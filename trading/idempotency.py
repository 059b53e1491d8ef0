"""Idempotency keys: a request that is sent again gets the first answer again."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from peewee import DatabaseError

from models.database import Row, execute, fetch_all, fetch_one, session, sqlstate
from trading.errors import IdempotencyConflict, IdempotencyInProgress

IN_PROGRESS_STATE = "TP409"  # raised by the database's idempotency_find


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's key with its scope (method and path) and the SHA-256 fingerprint of its validated body."""

    scope: str
    key: str
    fingerprint: bytes

    def check(self, stored_fingerprint: bytes) -> None:
        """Refuse a key that was used with another body."""
        if bytes(stored_fingerprint) != self.fingerprint:
            raise IdempotencyConflict

    def parts(self, number: int) -> "list[IdempotencyKey]":
        """Return a key for each part of a request that is done in parts; none is a key that a client can send."""
        return [replace(self, scope=f"{self.scope}#{index}") for index in range(number)]


def fingerprint_of(body: Mapping[str, Any]) -> bytes:
    """Return the SHA-256 of a validated body in canonical JSON: sorted keys, no blanks, decimals as text."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).digest()


@contextmanager
def in_progress_refused() -> Iterator[None]:
    """Turn the database's word that the first request is still going on into a refusal."""
    try:
        yield
    except DatabaseError as error:
        if sqlstate(error) == IN_PROGRESS_STATE:
            raise IdempotencyInProgress from error
        raise


def find_answer(account_id: UUID, key: IdempotencyKey | None) -> Row | None:
    """Return the row that was answered to the first request with a key, or None; waits for one under way."""
    if key is None:
        return None
    with in_progress_refused():
        found = fetch_one("SELECT * FROM idempotency_find(%s, %s, %s)", (account_id, key.scope, key.key))
    if found is None:
        return None
    key.check(found["fingerprint"])
    answer: Row = found["answer"]
    return answer


def find_answers(account_id: UUID, keys: Sequence[IdempotencyKey]) -> dict[int, Row]:
    """Return what was answered already to the parts of a request, by their index; waits for nobody.

    Raises IdempotencyConflict when a part was answered in another request.
    """
    scopes = {key.scope: index for index, key in enumerate(keys)}
    with session():
        found = fetch_all(
            "SELECT scope, fingerprint, answer FROM idempotency_key"
            " WHERE account_id = %s AND scope = ANY(%s::text[]) AND key = %s",
            (account_id, list(scopes), keys[0].key),
        )
    for row in found:
        keys[0].check(row["fingerprint"])
    return {scopes[row["scope"]]: row["answer"] for row in found}


def keep_answer(account_id: UUID, key: IdempotencyKey | None, table: str, row_id: Any) -> None:
    """Keep the row of a table, as it stands, as the answer to a key."""
    if key is not None:
        execute(
            "INSERT INTO idempotency_key (account_id, scope, key, fingerprint, answer)"
            f" SELECT %s, %s, %s, %s, to_jsonb(answered) FROM {table} AS answered WHERE account_id = %s AND id = %s",
            (account_id, key.scope, key.key, key.fingerprint, account_id, row_id),
        )
