"""Orders: place, preview, list, read, change and cancel."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Unpack

from tradepost_client.calls import Answer, Call, Listing, listing, once, one, path, some
from tradepost_client.failures import Problem
from tradepost_client.problems import OrderNotOpen, PreconditionFailed
from tradepost_client.shapes.orders import (
    BasketResult,
    Cancellations,
    Order,
    OrderDetail,
    OrderMoment,
    Placement,
    Preview,
    Trade,
)
from tradepost_client.terms import (
    Exchange,
    LiveStatus,
    OrderChange,
    OrderFilter,
    OrderStatus,
    OrderTerms,
    Product,
    Side,
)

ORDERS = "/api/trading/orders"
ORDER = ORDERS + "/{}"
ANY_VERSION = "*"


def place_order(
    *, idempotency_key: str | None = None, wait_s: int | None = None, **terms: Unpack[OrderTerms]
) -> Call[Placement]:
    """Place an order, exactly once even if the answer is lost; with wait_s wait up to 10 s until it is final."""
    return Call(
        "POST",
        ORDERS,
        one(Placement),
        body=dict(terms),
        headers=once(idempotency_key, wait_s),
        account_in="body",
        wait_s=wait_s or 0,
    )


def place_basket(
    orders: Sequence[OrderTerms], *, idempotency_key: str | None = None, wait_s: int | None = None
) -> Call[tuple[BasketResult, ...]]:
    """Place up to 20 orders, each accepted or refused by itself; return their results in the same order."""
    return Call(
        "POST",
        ORDERS + "/batch",
        some(BasketResult, "results"),
        body={"orders": orders},
        headers=once(idempotency_key, wait_s),
        account_in="body",
        wait_s=wait_s or 0,
    )


def preview_order(**terms: Unpack[OrderTerms]) -> Call[Preview]:
    """Compute the margin and the charges of an order without placing it."""
    return Call("POST", ORDERS + "/preview", one(Preview), body=dict(terms), account_in="body")


def orders(
    *, status: OrderStatus | Sequence[OrderStatus] | None = None, limit: int = 200, **wanted: Unpack[OrderFilter]
) -> Listing[Order]:
    """List orders, newest first; limit is the size of a page."""
    return listing(Order, ORDERS, {"status": status, "limit": limit, **wanted})


def cancel_orders(
    *, status: LiveStatus | Sequence[LiveStatus] | None = None, **wanted: Unpack[OrderFilter]
) -> Call[Cancellations]:
    """Cancel all orders that are not final, or those that the filters select, up to 5,000.

    After a lost answer the request is sent again: the result has only the orders that were left then.
    """
    return Call("DELETE", ORDERS, one(Cancellations), query={"status": status, **wanted}, account_in="query")


def order(order_id: str) -> Call[OrderDetail]:
    """Read an order with its charge items, its entries in the fund ledger and its ETag."""
    return Call("GET", path(ORDER, order_id), _with_etag, account_in="query")


def order_by_client_id(client_order_id: str) -> Call[OrderDetail]:
    """Read the order that has this client_order_id."""
    return Call("GET", path(ORDERS + "/by-client-id/{}", client_order_id), _with_etag, account_in="query")


def order_history(order_id: str) -> Call[tuple[OrderMoment, ...]]:
    """List the changes of an order, oldest first."""
    return Call("GET", path(ORDER + "/history", order_id), some(OrderMoment), account_in="query")


def trades_of_order(order_id: str) -> Call[tuple[Trade, ...]]:
    """List the trades of an order; there are none until it is EXECUTED."""
    return Call("GET", path(ORDER + "/trades", order_id), some(Trade), account_in="query")


def modify_order(order_id: str, *, etag: str | None = None, **change: Unpack[OrderChange]) -> Call[OrderDetail]:
    """Change an order that is not final.

    With the etag of the version that was read another version is refused (PreconditionFailed). Such a change is not
    sent again after a lost answer, because the change itself makes another version.
    """
    headers = {"If-Match": etag or ANY_VERSION}
    return Call(
        "PATCH",
        path(ORDER, order_id),
        _with_etag,
        body=dict(change),
        headers=headers,
        account_in="body",
        is_repeatable=etag is None,
    )


def cancel_order(order_id: str, *, etag: str | None = None) -> Call[Order]:
    """Cancel an order that is not final; an order that a lost first attempt has cancelled is returned."""
    headers = {} if etag is None else {"If-Match": etag}
    call = Call("DELETE", path(ORDER, order_id), one(Order), headers=headers, account_in="query")

    def recover(problem: Problem) -> Call[Order] | None:
        def cancelled(answer: Answer) -> Order:
            order = one(Order)(answer)
            if order.status != "CANCELLED":
                raise problem
            return order

        is_possible = isinstance(problem, OrderNotOpen | PreconditionFailed)
        return Call("GET", call.path, cancelled, account_in="query") if is_possible else None

    return replace(call, recover=recover)


def trades(
    *,
    exchange: Exchange | None = None,
    symbol: str | None = None,
    side: Side | None = None,
    product: Product | None = None,
    tag: str | None = None,
    from_: datetime | None = None,
    to: datetime | None = None,
    limit: int = 200,
) -> Listing[Trade]:
    """List the fills of orders, newest first; limit is the size of a page."""
    query = {
        "exchange": exchange,
        "symbol": symbol,
        "side": side,
        "product": product,
        "tag": tag,
        "from_": from_,
        "to": to,
        "limit": limit,
    }
    return listing(Trade, "/api/trading/trades", query)


def _with_etag(answer: Answer) -> OrderDetail:
    return replace(one(OrderDetail)(answer), etag=answer.headers.get("etag"))
