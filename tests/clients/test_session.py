"""A session of both clients with the real web process, whose orders the test executes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.conftest import TestAccount
from tests.support.identifiers import NOT_THERE
from tests.support.processes import Running, dead_proxies
from tests.support.trading import rows
from tradepost_client import AsyncClient, Cancellations, Client, NotFinal, NoToken, OrderTerms, Position, problems
from trading.execution.sweeping import sweep_once

BUY: OrderTerms = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 10}


@pytest.fixture
def trader(web: Running, account: Callable[..., TestAccount], connect_to: Any, quote: Any) -> Client:
    quote("RELIANCE", "2500.00")
    return connect_to(web.base_url, account().token)


@pytest.fixture
def admin(web: Running, headers_for: Any, connect_to: Any) -> Callable[..., Client]:
    """Return a function that makes the client of an administrator, for an account if one is named."""
    token = headers_for("admin", "feed")["Authorization"].removeprefix("Bearer ")
    return lambda account_id=None: connect_to(web.base_url, token, account_id=account_id)


def bought(trader: Client) -> Position:
    trader.place_order(**BUY)
    sweep_once(limit=10)
    return next(trader.positions())


def test_an_order_is_placed_filled_and_read(trader: Client) -> None:
    placement = trader.place_order(**BUY, tag="first")
    assert placement.execution_scheduled
    assert not placement.order.is_final
    with pytest.raises(NotFinal, match=r"still PENDING after 0\.1 s"):
        trader.wait_until_final(placement.order_id, timeout_s=0.1)
    sweep_once(limit=10)
    order = trader.wait_until_final(placement.order_id)
    assert (order.status, order.average_price, order.tag) == ("EXECUTED", Decimal("2500.00"), "first")
    assert [row.kind for row in order.transactions] == ["MARGIN_BLOCK", "CHARGES"]
    assert sum(vars(order.charge_items)[name] or 0 for name in vars(order.charge_items)) == order.charges
    assert datetime.now(UTC) - order.placed_at < timedelta(minutes=1)
    assert [trade.price for trade in trader.trades()] == [order.average_price]
    assert trader.trades_of_order(order.order_id) == tuple(trader.trades(symbol="RELIANCE"))
    assert [moment.type for moment in trader.order_history(order.order_id)] == ["order.pending", "order.executed"]
    assert trader.account().balance == Decimal("1000000.00") - order.charges
    assert trader.equity(interval="1m")[-1].equity == trader.account().balance


def test_a_position_is_closed_in_parts_and_converted(trader: Client) -> None:
    position = bought(trader)
    assert (position.quantity, position.average_price) == (10, Decimal("2500.00"))
    assert trader.close_position(position.position_id, quantity=4).order.quantity == 4
    sweep_once(limit=10)
    conversion = trader.convert_position(position.position_id, quantity=1)
    assert (conversion.from_position_id, conversion.cost) == (position.position_id, Decimal("2500.00"))
    assert {held.product: held.quantity for held in trader.positions()} == {"INTRADAY": 5, "DELIVERY": 1}
    with pytest.raises(problems.NotClosable) as refusal:
        trader.close_position(position.position_id, quantity=6)
    assert refusal.value.closable == 5
    assert list(trader.holdings()) == []


def test_an_order_is_changed_by_its_version_and_cancelled(trader: Client) -> None:
    placement = trader.place_order(**BUY, order_type="LIMIT", price=Decimal("2400.00"))
    order = trader.order(placement.order_id)
    changed = trader.modify_order(order.order_id, price="2401.05", etag=order.etag)
    assert changed.price == Decimal("2401.05")
    with pytest.raises(problems.PreconditionFailed):
        trader.modify_order(order.order_id, quantity=1, etag=order.etag)
    assert trader.modify_order(order.order_id, quantity=1).quantity == 1
    assert trader.cancel_order(order.order_id).status == "CANCELLED"
    with pytest.raises(problems.OrderNotOpen) as refusal:
        trader.cancel_order(order.order_id)
    assert refusal.value.order_status == "CANCELLED"


def test_lists_are_read_page_after_page(trader: Client) -> None:
    results = trader.place_basket([{**BUY, "order_type": "LIMIT", "price": number} for number in range(1, 6)])
    assert [result.status for result in results] == [202] * 5
    (refused,) = trader.place_basket([{**BUY, "quantity": 1_000_000}])
    assert isinstance(refused.problem, problems.InsufficientMargin)
    placed = [result.order_id for result in results]
    assert [order.order_id for order in trader.orders(limit=2)] == placed[::-1]
    since = datetime.now(UTC) - timedelta(minutes=1)
    assert len(list(trader.orders(side="BUY", symbol="reliance", from_=since, limit=4))) == 5
    assert list(trader.orders(to=since)) == []
    assert [row.order_id for row in trader.transactions(kind="MARGIN_BLOCK", limit=3)] == placed[::-1]


def test_all_orders_and_all_positions_are_ended_at_once(trader: Client) -> None:
    position = bought(trader)
    resting = [trader.place_order(**BUY, order_type="LIMIT", price=price).order_id for price in (1, 2)]
    by_client = trader.place_order(**BUY, client_order_id="my/1", order_type="LIMIT", price=3, tag="a")
    assert trader.order_by_client_id("my/1").order_id == by_client.order_id
    assert [order.order_id for order in trader.orders(status=["OPEN", "PENDING"], exchange="NSE")] == [
        by_client.order_id,
        *reversed(resting),
    ]
    assert [order.order_id for order in trader.cancel_orders(tag="a", status="PENDING").cancelled] == [
        by_client.order_id
    ]
    assert {order.order_id for order in trader.cancel_orders().cancelled} == set(resting)
    assert trader.cancel_orders() == Cancellations(cancelled=(), refused=(), has_more=False)
    assert trader.close_positions(symbol="TCS").placed == ()
    closings = trader.close_positions(cancel_open_orders=True)
    assert [closed.position_id for closed in closings.placed] == [position.position_id]
    assert [type(refused.problem) for refused in trader.close_positions().refused] == [problems.NothingToClose]
    sweep_once(limit=10)
    assert [flat.quantity for flat in trader.positions(is_open=False)] == [0]
    assert list(trader.positions(is_open=True)) == []
    assert trader.position(position.position_id).realized_pnl == Decimal("0.00")


def test_a_refusal_is_an_exception_with_its_members(trader: Client) -> None:
    with pytest.raises(problems.InsufficientMargin) as refusal:
        trader.place_order(**BUY | {"quantity": 1_000_000})
    error = refusal.value
    assert error.required > error.available == Decimal("1000000.00")
    assert (error.status, error.code, error.members["title"]) == (422, "insufficient_margin", "Insufficient margin")
    assert error.request_id
    with pytest.raises(problems.ValidationFailed, match=r"quantity: Must be from 1 to 1000000\.") as refused:
        trader.place_order(**BUY | {"quantity": 0})
    assert str(refused.value).count("quantity: ") == 1
    assert refused.value.errors == {"quantity": ["Must be from 1 to 1000000."]}
    with pytest.raises(problems.NotFound):
        trader.order(str(NOT_THERE))
    with pytest.raises(problems.Forbidden):
        trader.put_quotes([{"exchange": "NSE", "symbol": "TCS", "last_price": 1}])


def test_the_market_is_read_and_quoted(admin: Callable[..., Client]) -> None:
    client = admin()
    assert client.put_quotes([{"exchange": "NSE", "symbol": "M&M", "last_price": "3000.5"}]) is None
    assert client.put_quotes([{"exchange": "BSE", "symbol": "M&M", "last_price": Decimal("3001.00")}]) is None
    reception = client.put_quotes([{"exchange": "NSE", "symbol": "M&M", "bid_price": 99, "ask_price": Decimal("100")}])
    assert (reception.accepted, reception.matched, reception.not_matched) == (1, 0, ())
    assert [stock.key for stock in client.stocks(limit=1)] == ["BSE:M&M", "NSE:M&M"]
    assert client.stock("NSE", "M&M").last_price == Decimal("3000.50")
    assert client.search_stocks("&m")[0].symbol == "M&M"
    assert [stock.bid_price for stock in client.stocks_of(["NSE:GONE", "NSE:M&M"])] == [Decimal("99.00")]
    assert client.clock().sessions[0].open
    month = client.calendar(from_=date(2026, 11, 1), to=date(2026, 11, 30))
    assert (month.calendar, month.from_, month.sessions) == (None, date(2026, 11, 1), ())


def test_an_administrator_opens_accounts_and_trades_for_them(admin: Callable[..., Client], connect_to: Any) -> None:
    owner = admin().admin
    opened = owner.create_account("Asha", "5000.00", fill_model="QUOTES")
    assert (opened.balance, opened.fill_model) == (Decimal("5000.00"), "QUOTES")
    assert owner.add_funds(opened.trading_account_id, "DEPOSIT", 5).balance_after == Decimal("5005.00")
    assert [account.name for account in owner.accounts(search="SH")] == ["Asha"]
    assert owner.change_account(opened.trading_account_id, name="Usha").name == "Usha"
    new = owner.create_token(opened.trading_account_id, ["read"])
    url = admin().admin._session.options.url
    assert connect_to(url, new.token).account().scopes == ("read",)
    assert [token.token_id for token in connect_to(url, new.token).tokens()] == [new.token_id]
    assert [token.scopes for token in owner.tokens()] == [("admin", "feed")]
    assert owner.revoke_token(new.token_id) is None
    assert list(owner.tokens_of_account(opened.trading_account_id)) == []
    assert [token.revoked_at is None for token in owner.tokens_of_account(opened.trading_account_id, ended=True)] == [
        False
    ]
    deputy = admin(opened.trading_account_id)
    order = deputy.place_order(**BUY, order_type="LIMIT", price=1).order
    assert order.trading_account_id == opened.trading_account_id
    assert deputy.modify_order(order.order_id, quantity=2).quantity == 2
    assert [each.order_id for each in deputy.orders()] == [order.order_id]
    assert deputy.cancel_order(order.order_id).status == "CANCELLED"
    assert owner.change_account(opened.trading_account_id, status="SUSPENDED").status == "SUSPENDED"
    assert owner.reset_account(opened.trading_account_id, "7.00").balance == Decimal("7.00")


def test_amounts_and_times_are_exact_or_refused(trader: Client) -> None:
    with pytest.raises(TypeError, match=r"1\.5 is not exact"):
        trader.place_order(**BUY, order_type="LIMIT", price=1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="names no zone"):
        list(trader.orders(from_=datetime(2026, 11, 27)))
    assert rows("SELECT 1 FROM trading_order") == []


def test_the_client_for_asyncio_does_the_same(web: Running, account: Any, quote: Any) -> None:
    quote("RELIANCE", "2500.00")

    async def session() -> None:
        async with AsyncClient(web.base_url, account().token) as client:
            placements = await asyncio.gather(*(client.place_order(**BUY) for _ in range(3)))
            await asyncio.to_thread(sweep_once, limit=10)
            orders = await asyncio.gather(*(client.wait_until_final(each.order_id) for each in placements))
            assert {order.status for order in orders} == {"EXECUTED"}
            assert await _all(client.orders(limit=1)) == sorted([each.order_id for each in placements], reverse=True)
            with pytest.raises(problems.Forbidden):
                await client.admin.create_account("Nobody", 1)

    asyncio.run(session())


async def _all(orders: AsyncIterator[Any]) -> list[str]:
    return [order.order_id async for order in orders]


def test_no_proxy_is_asked_for_a_service_on_this_machine(trader: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in dead_proxies().items():
        monkeypatch.setenv(name, value)
    options = trader._session.options
    for url in (options.url, options.url.replace("127.0.0.1", "localhost")):
        with Client(url, options.token) as client, client.stream(since=0) as stream:
            assert stream.receive(20).id == 1
            assert client.account().balance == Decimal("1000000.00")


def test_an_address_and_a_token_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRADEPOST_TOKEN", raising=False)
    with pytest.raises(NoToken, match="TRADEPOST_TOKEN"):
        Client()
    with pytest.raises(ValueError, match="is not the address of a service"):
        Client("localhost:8000", "tp_x")
    monkeypatch.setenv("TRADEPOST_URL", "http://elsewhere:1/")
    assert "tp_secret" not in repr(Client(token="tp_secret")._session.options)
    assert Client(token="tp_secret")._session.options.url == "http://elsewhere:1"
