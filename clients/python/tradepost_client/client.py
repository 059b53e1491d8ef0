"""The client for programs without asyncio."""

import ssl
import time
from collections.abc import Iterator, Sequence
from typing import Any, Self, TypeVar

import httpx

from . import flows, operations
from .calls import Answer, Call, Flow, Listing, Lost, Request
from .methods import Method, Pages
from .options import NOT_SENT, Options, options_of
from .shapes.orders import OrderDetail
from .stream import Stream

T = TypeVar("T")


class Session:
    """The connection to a service: it carries calls out, and may be used by several threads."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.contact = flows.Contact(options.url, options.patience_s)
        self.http = httpx.Client(**options.for_httpx())

    def run(self, flow: Flow[T]) -> T:
        """Send the requests of a flow, wait its pauses, and return its result."""
        outcome: Answer | Lost | None = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            if isinstance(step, Request):
                outcome = self._send(step)
            else:
                time.sleep(step.seconds)
                outcome = None

    def _send(self, request: Request) -> Answer | Lost:
        try:
            answer = self.http.request(**self.options.for_request(request))
        except httpx.RequestError as error:
            return Lost(error, was_sent=not isinstance(error, NOT_SENT))
        return Answer(answer.status_code, answer.headers, answer.content)


class Caller:
    """A group of operations over a session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def call(self, call: Call[T]) -> T:
        """Carry out a call."""
        session = self._session
        return session.run(flows.carried_out(call.for_account(session.options.account_id), session.contact))

    def pages(self, listing: Listing[T]) -> Iterator[T]:
        """Yield the items of all pages; each page is read when it is needed."""
        call: Call[Any] | None = listing.first
        while call is not None:
            page = self.call(call)
            yield from page.data
            call = listing.after(page)


class Admin(Caller):
    """The operations for a token with the scope `admin`."""

    create_account = Method(operations.admin.create_account)
    accounts = Pages(operations.admin.accounts)
    account = Method(operations.admin.account)
    change_account = Method(operations.admin.change_account)
    reset_account = Method(operations.admin.reset_account)
    add_funds = Method(operations.admin.add_funds)
    create_token = Method(operations.admin.create_token)
    tokens_of_account = Pages(operations.admin.tokens_of_account)
    tokens = Pages(operations.admin.tokens)
    revoke_token = Method(operations.admin.revoke_token)
    remove_holiday = Method(operations.admin.remove_holiday)


class Client(Caller):
    """A client of Tradepost: `with Client() as client: client.account()`.

    The address is `url` or TRADEPOST_URL or http://127.0.0.1:8000, the token is `token` or TRADEPOST_TOKEN. An admin
    token names the account for which it acts. A request waits `timeout_s` for its answer. While that is safe, it is
    sent again for up to `patience_s`, or for 5 s if the service has never answered.
    """

    place_order = Method(operations.orders.place_order)
    place_basket = Method(operations.orders.place_basket)
    preview_order = Method(operations.orders.preview_order)
    orders = Pages(operations.orders.orders)
    order = Method(operations.orders.order)
    order_by_client_id = Method(operations.orders.order_by_client_id)
    order_history = Method(operations.orders.order_history)
    trades_of_order = Method(operations.orders.trades_of_order)
    modify_order = Method(operations.orders.modify_order)
    cancel_order = Method(operations.orders.cancel_order)
    cancel_orders = Method(operations.orders.cancel_orders)
    trades = Pages(operations.orders.trades)
    account = Method(operations.portfolio.account)
    equity = Method(operations.portfolio.equity)
    transactions = Pages(operations.portfolio.transactions)
    positions = Pages(operations.portfolio.positions)
    position = Method(operations.portfolio.position)
    holdings = Pages(operations.portfolio.holdings)
    close_position = Method(operations.portfolio.close_position)
    close_positions = Method(operations.portfolio.close_positions)
    convert_position = Method(operations.portfolio.convert_position)
    tokens = Pages(operations.portfolio.tokens)
    events = Method(operations.portfolio.events)
    stocks = Pages(operations.market.stocks)
    search_stocks = Method(operations.market.search_stocks)
    stocks_of = Method(operations.market.stocks_of)
    stock = Method(operations.market.stock)
    clock = Method(operations.market.clock)
    calendar = Method(operations.market.calendar)
    put_quotes = Method(operations.market.put_quotes)

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
        super().__init__(Session(options_of(url, token, account_id, timeout_s, patience_s, ssl_context)))
        self.admin = Admin(self._session)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.http.close()

    def wait_until_final(self, order_id: str, *, timeout_s: float = 60.0) -> OrderDetail:
        """Read an order until it is final, and return it; raise NotFinal after timeout_s seconds."""
        call = operations.orders.order(order_id).for_account(self._session.options.account_id)
        return self._session.run(flows.final_order(call, self._session.contact, timeout_s))

    def stream(
        self, *, since: int | None = None, symbols: Sequence[str] = (), give_up_after_s: float | None = None
    ) -> Stream:
        """Return the stream of events after `since`, or from now on, and of live quotes: `with ... as stream`."""
        return Stream(self._session.options, since=since, symbols=symbols, give_up_after_s=give_up_after_s)
