"""The headers that keep browsers safe."""

import dataclasses
from typing import Any

import pytest

from actors import broker
from api import create_app

FRIEND, STRANGER = "https://desk.example", "https://evil.example"
APPS = ("capacitor://localhost", "ionic://localhost", "chrome-extension://abcdefghijklmnop", "http://[::1]:3000")


@pytest.fixture
def friendly(settings: Any, clean: None, configured: None) -> Any:
    """Return a client of an application that lets one origin in."""
    yield create_app(dataclasses.replace(settings, allowed_origins=(FRIEND, *APPS))).test_client()
    broker.configure(settings, role="web")


def preflight(client: Any, origin: str) -> Any:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, idempotency-key",
    }
    return client.options("/api/trading/orders", headers=headers)


def test_without_allowed_origins_no_other_origin_may_read(client: Any) -> None:
    for answer in (preflight(client, STRANGER), client.get("/health/live", headers={"Origin": STRANGER})):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_an_allowed_origin_may_read_and_send(friendly: Any) -> None:
    answer = preflight(friendly, FRIEND)
    assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
    assert "idempotency-key" in answer.headers["Access-Control-Allow-Headers"].lower()
    assert "Access-Control-Allow-Credentials" not in answer.headers
    read = friendly.get("/health/live", headers={"Origin": FRIEND})
    assert "X-Request-Id" in read.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("origin", APPS)
def test_an_allowed_origin_may_have_a_custom_scheme(friendly: Any, origin: str) -> None:
    assert preflight(friendly, origin).headers["Access-Control-Allow-Origin"] == origin


def test_an_origin_that_is_not_allowed_may_not_read(friendly: Any) -> None:
    assert "Access-Control-Allow-Origin" not in preflight(friendly, STRANGER).headers


def test_a_response_of_the_api_is_never_shown_as_a_page(client: Any) -> None:
    for path in ("/health/live", "/api/trading/orders", "/nothing", "/openapi.json"):
        headers = client.get(path).headers
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_behind_tls_browsers_are_told_to_use_https_only(client: Any) -> None:
    assert "Strict-Transport-Security" not in client.get("/health/live").headers
    answer = client.get("/health/live", headers={"X-Forwarded-Proto": "https"})
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=63072000")
