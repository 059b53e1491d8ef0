"""Claims on the idempotency key of a request in parts."""

from uuid import UUID

import pytest

from models.identifiers import new_id
from tests.support.trading import at_once, one, run
from trading.accounts.administration import create_account
from trading.accounts.idempotency import IdempotencyKey, claim_key, fingerprint_of, release_key
from trading.rules.errors import IdempotencyConflict, NotFound


def key_of(body: str) -> IdempotencyKey:
    """Return the key of all tests, with the fingerprint of a body."""
    return IdempotencyKey("POST /somewhere", "one", fingerprint_of({"body": body}))


@pytest.fixture
def trader(clean: None) -> UUID:
    """Return the id of an account."""
    account_id: UUID = create_account("Test")["id"]
    return account_id


def claim(account_id: UUID, body: str) -> dict:
    """Claim the key for a request of two parts."""
    return claim_key(account_id, key_of(body), key_of(body).parts(2))


def answer_part(account_id: UUID, body: str, index: int, answer: str) -> None:
    """Store the answer to a part, as a placement does."""
    part = key_of(body).parts(2)[index]
    run(
        "INSERT INTO idempotency_key (account_id, scope, key, fingerprint, answer) VALUES (%s, %s, %s, %s, %s)",
        *(account_id, part.scope, part.key, part.fingerprint, answer),
    )


def test_a_key_belongs_to_one_request(trader: UUID) -> None:
    assert claim(trader, "a") == claim(trader, "a") == {}
    with pytest.raises(IdempotencyConflict):
        claim(trader, "b")
    assert claim(create_account("Other")["id"], "b") == {}


def test_a_repeated_request_gets_the_answers_of_the_first(trader: UUID) -> None:
    claim(trader, "a")
    answer_part(trader, "a", 1, '{"id": 7}')
    assert claim(trader, "a") == {1: {"id": 7}}


def test_of_two_requests_at_once_one_claims_the_key(trader: UUID) -> None:
    for _ in range(10):
        found = at_once([lambda body=body: claim(trader, body) for body in "abab"])
        conflicts = [isinstance(each, IdempotencyConflict) for each in found]
        assert conflicts in ([False, True] * 2, [True, False] * 2)
        run("DELETE FROM idempotency_key")


def test_the_last_running_request_deletes_the_claim(trader: UUID) -> None:
    claim(trader, "a")
    claim(trader, "a")
    release_key(trader, key_of("a"))
    with pytest.raises(IdempotencyConflict):
        claim(trader, "b")
    release_key(trader, key_of("a"))
    assert claim(trader, "b") == {}
    release_key(trader, key_of("a"))  # the claim is another request's now
    with pytest.raises(IdempotencyConflict):
        claim(trader, "a")


def test_a_part_that_outlives_the_claim_still_refuses_another_body(trader: UUID) -> None:
    answer_part(trader, "a", 0, "{}")
    with pytest.raises(IdempotencyConflict):
        claim(trader, "b")
    assert one("SELECT count(*) FROM idempotency_key") == 1
    assert claim(trader, "a") == {0: {}}


def test_a_claim_for_an_unknown_account_is_not_found(clean: None) -> None:
    with pytest.raises(NotFound):
        claim(new_id(), "a")
