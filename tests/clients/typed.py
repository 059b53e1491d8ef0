"""A program that mypy checks and nobody runs: the clients' methods have the arguments and results of their operations.

An error that mypy no longer finds is an unused `type: ignore`, which is an error itself.
"""

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import assert_type

from tradepost_client import AsyncClient, Client, Message, Order, OrderDetail, Placement, Trade, problems


def use(client: Client) -> None:
    """Use a client as its types say."""
    placement = client.place_order(exchange="NSE", symbol="TCS", side="BUY", quantity=1, price=Decimal("1.05"))
    assert_type(placement, Placement)
    assert_type(client.orders(status=["OPEN", "PENDING"]), Iterator[Order])
    assert_type(client.order("id").average_price, Decimal | None)
    assert_type(client.admin.revoke_token("id"), None)
    with client.stream(symbols=["NSE:TCS"]) as stream:
        assert_type(stream.receive(), Message)


async def use_with_asyncio(client: AsyncClient) -> None:
    """Use a client for asyncio as its types say."""
    assert_type(await client.modify_order("id", quantity=2), OrderDetail)
    assert_type(client.trades(side="SELL"), AsyncIterator[Trade])
    async with client.stream() as stream:
        async for message in stream:
            assert_type(message, Message)


def misuse(client: Client) -> None:
    """Make the mistakes that types find."""
    client.place_order(exchange="NSE", symbol="TCS", side="BYE", quantity=1)  # type: ignore[arg-type]
    client.place_order(exchange="NSE", symbol="TCS", side="BUY", quantity=1, price=1.5)  # type: ignore[arg-type]
    client.place_order(exchange="NSE", symbol="TCS", side="BUY")  # type: ignore[call-arg]
    client.place_order(exchange="NSE", symbol="TCS", side="BUY", quantity=1, prize="1")  # type: ignore[call-arg]
    client.orders(status="DONE")  # type: ignore[arg-type]


def refused(refusal: problems.InsufficientMargin) -> None:
    """Read the members of a refusal."""
    assert_type(refusal.required, Decimal | None)
