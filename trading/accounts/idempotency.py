"""Idempotency keys: a repeated request gets the answer of the first one."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from peewee import DatabaseError, IntegrityError

from models.database import Row, execute, fetch_all, fetch_one, session, sqlstate, transactional
from trading.accounts.shares import within_share
from trading.rules.errors import IdempotencyConflict, IdempotencyInProgress, NotFound

# The claim on a key, for a request in parts (a basket), counts the equal requests that are running. If no part was
# accepted, the last of them deletes the claim. A claim is older than its parts, so retention deletes it first.
# The count is text first: Citus takes no jsonb_build_object here, which is not immutable.
AT_WORK = """('{"atWork": ' || ((%s.answer ->> 'atWork')::integer + %d)::text || '}')::jsonb"""
CLAIM = f"""
WITH part AS (
    SELECT scope, fingerprint, answer FROM idempotency_key
    WHERE account_id = %(account_id)s AND scope = ANY(%(scopes)s::text[]) AND key = %(key)s),
claim AS (
    INSERT INTO idempotency_key AS known (account_id, scope, key, fingerprint, answer)
    SELECT %(account_id)s, %(scope)s, %(key)s, %(fingerprint)s, '{{"atWork": 1}}'
    WHERE NOT EXISTS (SELECT FROM part WHERE fingerprint <> %(fingerprint)s)
    ON CONFLICT (account_id, scope, key)
        DO UPDATE SET answer = {AT_WORK % ("known", 1)}
        WHERE known.fingerprint = excluded.fingerprint
    RETURNING scope, answer)
SELECT scope, answer FROM part UNION ALL SELECT scope, answer FROM claim
"""
GIVE_UP = f"""
UPDATE idempotency_key AS known SET answer = {AT_WORK % ("known", -1)}
WHERE account_id = %s AND scope = %s AND key = %s AND fingerprint = %s
RETURNING (answer ->> 'atWork')::integer AS at_work
"""
IN_PROGRESS_STATE = "TP409"  # raised by the function idempotency_find of the database


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A client's key with its scope (method and path) and the SHA-256 fingerprint of its validated body."""

    scope: str
    key: str
    fingerprint: bytes

    def check(self, stored_fingerprint: bytes) -> None:
        """Raise IdempotencyConflict if the key was used with another body."""
        if bytes(stored_fingerprint) != self.fingerprint:
            raise IdempotencyConflict

    def parts(self, number: int) -> "list[IdempotencyKey]":
        """Return one key for each part of a request; no client can send such a key."""
        return [replace(self, scope=f"{self.scope}#{index}") for index in range(number)]


def fingerprint_of(body: Mapping[str, Any]) -> bytes:
    """Return the SHA-256 of a validated body in canonical JSON: sorted keys, no blanks, decimals as text."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).digest()


@contextmanager
def in_progress_refused() -> Iterator[None]:
    """Raise IdempotencyInProgress if the database reports that the first request is still running."""
    try:
        yield
    except DatabaseError as error:
        if sqlstate(error) == IN_PROGRESS_STATE:
            raise IdempotencyInProgress from error
        raise


def find_answer(account_id: UUID, key: IdempotencyKey | None) -> Row | None:
    """Return the row in the answer to the first request with a key, or None; wait for a request that is running."""
    if key is None:
        return None
    with in_progress_refused():
        found = fetch_one("SELECT * FROM idempotency_find(%s, %s, %s)", (account_id, key.scope, key.key))
    if found is None:
        return None
    key.check(found["fingerprint"])
    answer: Row = found["answer"]
    return answer


@within_share
def claim_key(account_id: UUID, key: IdempotencyKey, parts: Sequence[IdempotencyKey]) -> dict[int, Row]:
    """Claim a key for all parts of a request; return the rows in the answers to earlier parts, by index.

    The claim is committed before the first part, so of two requests with one key only one has an effect. It waits for
    no part of another request. Raises NotFound, or IdempotencyConflict if another request has used the key.
    """
    indexes = {part.scope: index for index, part in enumerate(parts)}
    parameters = {
        "account_id": account_id,
        "scope": key.scope,
        "key": key.key,
        "fingerprint": key.fingerprint,
        "scopes": list(indexes),
    }
    try:
        with session():
            found = {row["scope"]: row["answer"] for row in fetch_all(CLAIM, parameters)}
    except IntegrityError as error:  # the account does not exist
        raise NotFound from error
    if found.pop(key.scope, None) is None:
        raise IdempotencyConflict
    return {indexes[scope]: answer for scope, answer in found.items()}


@transactional
def release_key(account_id: UUID, key: IdempotencyKey) -> None:
    """Delete the claim on a key after a request of which no part was accepted, unless an equal request is running."""
    where = (account_id, key.scope, key.key, key.fingerprint)
    row = fetch_one(GIVE_UP, where)
    if row is not None and row["at_work"] <= 0:
        execute("DELETE FROM idempotency_key WHERE account_id = %s AND scope = %s AND key = %s", where[:3])


def keep_answer(account_id: UUID, key: IdempotencyKey | None, table: str, row_id: Any) -> None:
    """Store the present row of a table as the answer to a key."""
    if key is not None:
        execute(
            "INSERT INTO idempotency_key (account_id, scope, key, fingerprint, answer)"
            f" SELECT %s, %s, %s, %s, to_jsonb(answered) FROM {table} AS answered WHERE account_id = %s AND id = %s",
            (account_id, key.scope, key.key, key.fingerprint, account_id, row_id),
        )
