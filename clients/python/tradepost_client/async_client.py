"""The client for programs with asyncio."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self, TypeVar

import httpx

from . import flows, operations
from .async_stream import AsyncStream
from .calls import Answer, Call, Flow, Listing, Lost, Request
from .methods import AsyncMethod, AsyncPages
from .options import NOT_SENT, Options, options_of
from .shapes.orders import OrderDetail

T = TypeVar("T")


class AsyncSession:
    """The connection to a service: it carries calls out, and may be used by several tasks."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.contact = flows.Contact(options.url, options.patience_s)
        self.http = httpx.AsyncClient(**options.for_httpx())

    async def run(self, flow: Flow[T]) -> T:
        """Send the requests of a flow, wait its pauses, and return its result."""
        outcome: Answer | Lost | None = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            if isinstance(step, Request):
                outcome = await self._send(step)
            else:
                await asyncio.sleep(step.seconds)
                outcome = None

    async def _send(self, request: Request) -> Answer | Lost:
        try:
            answer = await self.http.request(**self.options.for_request(request))
        except httpx.RequestError as error:
            return Lost(error, was_sent=not isinstance(error, NOT_SENT))
        return Answer(answer.status_code, answer.headers, answer.content)


class AsyncCaller:
    """A group of operations over a session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def call(self, call: Call[T]) -> T:
        """Carry out a call."""
        session = self._session
        return await session.run(flows.carried_out(call.for_account(session.options.account_id), session.contact))

    async def pages(self, listing: Listing[T]) -> AsyncIterator[T]:
        """Yield the items of all pages; each page is read when it is needed."""
        call: Call[Any] | None = listing.first
        while call is not None:
            page = await self.call(call)
            for item in page.data:
                yield item
            call = listing.after(page)


class AsyncAdmin(AsyncCaller):
    """The operations for a token with the scope `admin`."""

    create_account = AsyncMethod(operations.admin.create_account)
    accounts = AsyncPages(operations.admin.accounts)
    account = AsyncMethod(operations.admin.account)
    change_account = AsyncMethod(operations.admin.change_account)
    reset_account = AsyncMethod(operations.admin.reset_account)
    add_funds = AsyncMethod(operations.admin.add_funds)
    create_token = AsyncMethod(operations.admin.create_token)
    tokens_of_account = AsyncPages(operations.admin.tokens_of_account)
    tokens = AsyncPages(operations.admin.tokens)
    revoke_token = AsyncMethod(operations.admin.revoke_token)
    remove_holiday = AsyncMethod(operations.admin.remove_holiday)


class AsyncClient(AsyncCaller):
    """A client of Tradepost: `async with AsyncClient() as client: await client.account()`.

    The address is `url` or TRADEPOST_URL or http://127.0.0.1:8000, the token is `token` or TRADEPOST_TOKEN. An admin
    token names the account for which it acts. A request waits `timeout_s` for its answer. While that is safe, it is
    sent again for up to `patience_s`, or for 5 s if the service has never answered.
    """

    place_order = AsyncMethod(operations.orders.place_order)
    place_basket = AsyncMethod(operations.orders.place_basket)
    preview_order = AsyncMethod(operations.orders.preview_order)
    orders = AsyncPages(operations.orders.orders)
    order = AsyncMethod(operations.orders.order)
    order_by_client_id = AsyncMethod(operations.orders.order_by_client_id)
    order_history = AsyncMethod(operations.orders.order_history)
    trades_of_order = AsyncMethod(operations.orders.trades_of_order)
    modify_order = AsyncMethod(operations.orders.modify_order)
    cancel_order = AsyncMethod(operations.orders.cancel_order)
    cancel_orders = AsyncMethod(operations.orders.cancel_orders)
    trades = AsyncPages(operations.orders.trades)
    account = AsyncMethod(operations.portfolio.account)
    equity = AsyncMethod(operations.portfolio.equity)
    transactions = AsyncPages(operations.portfolio.transactions)
    positions = AsyncPages(operations.portfolio.positions)
    position = AsyncMethod(operations.portfolio.position)
    holdings = AsyncPages(operations.portfolio.holdings)
    close_position = AsyncMethod(operations.portfolio.close_position)
    close_positions = AsyncMethod(operations.portfolio.close_positions)
    convert_position = AsyncMethod(operations.portfolio.convert_position)
    tokens = AsyncPages(operations.portfolio.tokens)
    events = AsyncMethod(operations.portfolio.events)
    stocks = AsyncPages(operations.market.stocks)
    search_stocks = AsyncMethod(operations.market.search_stocks)
    stocks_of = AsyncMethod(operations.market.stocks_of)
    stock = AsyncMethod(operations.market.stock)
    clock = AsyncMethod(operations.market.clock)
    calendar = AsyncMethod(operations.market.calendar)
    put_quotes = AsyncMethod(operations.market.put_quotes)

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        account_id: str | None = None,
        timeout_s: float = 10.0,
        patience_s: float = 30.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(AsyncSession(options_of(url, token, account_id, timeout_s, patience_s, ssl_context)))
        self.admin = AsyncAdmin(self._session)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._session.http.aclose()

    async def wait_until_final(self, order_id: str, *, timeout_s: float = 60.0) -> OrderDetail:
        """Read an order until it is final, and return it; raise NotFinal after timeout_s seconds."""
        call = operations.orders.order(order_id).for_account(self._session.options.account_id)
        return await self._session.run(flows.final_order(call, self._session.contact, timeout_s))

    def stream(
        self, *, since: int | None = None, symbols: Sequence[str] = (), give_up_after_s: float | None = None
    ) -> AsyncStream:
        """Return the stream of events after `since`, or from now on, and of live quotes: `async with ... as stream`."""
        return AsyncStream(self._session.options, since=since, symbols=symbols, give_up_after_s=give_up_after_s)
