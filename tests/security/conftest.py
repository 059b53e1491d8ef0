"""Fixtures and headers of the security tests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import CRON_SECRET, TestAccount
from tests.security.operations import Operation, operations_of
from trading.accounts import tokens

WEBSOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
EVENT_STREAM = {"Accept": "text/event-stream"}


def bearer(secret: str) -> dict[str, str]:
    """Return the header that carries a secret."""
    return {"Authorization": f"Bearer {secret}"}


CRON = bearer(CRON_SECRET)


@pytest.fixture
def operations(client: Any) -> list[Operation]:
    """Return every operation that the service describes."""
    found = operations_of(client.get("/openapi.json").get_json())
    assert len(found) >= 22
    return found


@dataclass
class Belongings:
    """An account with one of everything."""

    account: TestAccount
    things: dict[str, str]


@pytest.fixture
def belongings(client: Any, account: Callable[..., TestAccount], place: Any, quote: Any) -> Belongings:
    """Return an account with an open position, a pending order and a token, each with its id."""
    owner = account(name="Owner")
    quote()
    assert place(owner, orderType="MARKET").status_code == 202
    assert client.get("/api/cron/order-worker", headers=CRON).get_json()["executed"] == 1
    (position,) = client.get("/api/trading/positions", headers=owner.headers).get_json()["data"]
    token_id, _ = tokens.create_token(["read"], account_id=owner.id)
    things = {
        "order_id": place(owner, clientOrderId="the/owner's").get_json()["orderId"],
        "client_order_id": "the/owner's",
        "position_id": position["positionId"],
        "account_id": str(owner.id),
        "token_id": str(token_id),
    }
    return Belongings(owner, things)
