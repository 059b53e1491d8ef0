"""Tokens."""

import hashlib
from datetime import UTC, date, datetime
from uuid import uuid4

import pytest

from tests.support.identifiers import ids_in_order
from tests.support.trading import one, rows, run
from trading.accounts import tokens
from trading.rules.errors import NotFound


def test_a_token_is_found_by_its_secret(trader):
    expires_at = datetime(2030, 1, 1, tzinfo=UTC)
    token_id, secret = tokens.create_token(["trade", "read"], account_id=trader, expires_at=expires_at)
    row = tokens.find_token(secret)
    assert (row["id"], row["account_id"], row["scopes"]) == (token_id, trader, ["trade", "read"])
    assert (row["expires_at"], row["revoked_at"]) == (expires_at, None)


def test_only_the_digest_is_kept(clean):
    _, secret = tokens.create_token(["admin"])
    assert bytes(one("SELECT digest FROM api_token")) == hashlib.sha256(secret.encode()).digest()
    assert secret not in one("SELECT to_jsonb(api_token)::text FROM api_token")


def test_secrets_are_long_and_never_the_same(clean):
    secrets = {tokens.create_token(["feed"])[1] for _ in range(20)}
    assert len(secrets) == 20
    assert all(secret.startswith("tp_") and len(secret) >= 40 for secret in secrets)


@pytest.mark.parametrize("secret", ["", "tp_nobody", "\x00", "\ud800", "é" * 1000])
def test_an_unknown_secret_finds_nothing(clean, secret):
    assert tokens.find_token(secret) is None


def test_a_revoked_token_keeps_the_time_of_its_first_revocation(clean):
    token_id, secret = tokens.create_token(["admin"])
    tokens.revoke_token(token_id)
    revoked_at = tokens.find_token(secret)["revoked_at"]
    assert revoked_at is not None
    tokens.revoke_token(token_id)
    assert tokens.find_token(secret)["revoked_at"] == revoked_at


def test_an_unknown_token_cannot_be_revoked(clean):
    with pytest.raises(NotFound):
        tokens.revoke_token(uuid4())


def test_a_token_of_an_unknown_account_is_refused(clean):
    with pytest.raises(NotFound):
        tokens.create_token(["read"], account_id=uuid4())
    assert rows("SELECT 1 FROM api_token") == []


def test_an_accounts_tokens_are_listed_the_newest_first_without_the_ended_ones(trader, account):
    stranger = account().id
    with ids_in_order():
        first, second, third = (tokens.create_token(["read"], account_id=trader)[0] for _ in range(3))
    feed, _ = tokens.create_token(["feed"])
    tokens.revoke_token(second)
    run("UPDATE api_token SET expires_at = clock_timestamp() - interval '1 s' WHERE id = %s", first)
    listed = [row["id"] for row in tokens.tokens_of(trader)]
    assert listed[0] == third
    assert {first, second, feed}.isdisjoint(listed)
    assert {first, second, third} <= {row["id"] for row in tokens.tokens_of(trader, with_ended=True)}
    assert feed in {row["id"] for row in tokens.tokens_of(None)}
    assert third not in {row["id"] for row in tokens.tokens_of(stranger)}
    with pytest.raises(NotFound):
        tokens.tokens_of(uuid4())


def test_a_listed_token_says_nothing_of_its_secret(trader):
    tokens.create_token(["read"], account_id=trader)
    assert "digest" not in tokens.tokens_of(trader)[0]


def test_the_use_of_a_token_is_written_once_a_day_and_leaves_its_row_alone(trader):
    token_id, secret = tokens.create_token(["read"], account_id=trader)
    version = tokens.find_token(secret)["version"]
    assert tokens.tokens_of(trader)[0]["last_used_on"] is None
    versions = []
    for day in (date(2026, 11, 2), date(2026, 11, 2), date(2026, 11, 1), date(2026, 11, 3)):
        tokens.note_uses([token_id, uuid4()], day)
        versions.append(one("SELECT xmin::text FROM token_use WHERE token_id = %s", token_id))
    assert versions[0] == versions[1] == versions[2] != versions[3]
    assert tokens.tokens_of(trader)[0]["last_used_on"] == date(2026, 11, 3)
    assert tokens.find_token(secret)["version"] == version
