"""The account, its ledger, tokens and events, its positions and holdings."""

from datetime import datetime
from typing import Unpack

from tradepost_client.calls import Answer, Call, Listing, document_of, listing, once, one, path, some
from tradepost_client.messages import event_of
from tradepost_client.shapes.accounts import Account, Conversion, EquityPoint, Holding, Position, Token, Transaction
from tradepost_client.shapes.messages import EventPage
from tradepost_client.shapes.orders import Closings, Placement
from tradepost_client.terms import Exchange, Interval, PositionFilter, Product, TransactionKind

POSITIONS = "/api/trading/positions"


def account() -> Call[Account]:
    """Read the account, and the scopes of the token."""
    return Call("GET", "/api/trading/account", one(Account), account_in="query")


def equity(
    *, interval: Interval = "1h", from_: datetime | None = None, to: datetime | None = None
) -> Call[tuple[EquityPoint, ...]]:
    """Read the account's equity over time, the oldest point first: the balance with the unrealised profit."""
    query = {"interval": interval, "from_": from_, "to": to}
    return Call("GET", "/api/trading/account/equity", some(EquityPoint), query=query, account_in="query")


def transactions(
    *,
    order_id: str | None = None,
    kind: TransactionKind | None = None,
    from_: datetime | None = None,
    to: datetime | None = None,
    limit: int = 200,
) -> Listing[Transaction]:
    """List the entries of the fund ledger, newest first; limit is the size of a page."""
    query = {"order_id": order_id, "kind": kind, "from_": from_, "to": to, "limit": limit}
    return listing(Transaction, "/api/trading/transactions", query)


def positions(*, is_open: bool | None = None, limit: int = 200, **wanted: Unpack[PositionFilter]) -> Listing[Position]:
    """List positions, newest first: open ones, flat ones or all; limit is the size of a page."""
    return listing(Position, POSITIONS, {"open": is_open, "limit": limit, **wanted})


def position(position_id: str) -> Call[Position]:
    """Read a position, open or flat."""
    return Call("GET", path(POSITIONS + "/{}", position_id), one(Position), account_in="query")


def holdings(*, exchange: Exchange | None = None, symbol: str | None = None, limit: int = 200) -> Listing[Holding]:
    """List the DELIVERY shares of earlier days, newest position first; limit is the size of a page."""
    return listing(Holding, "/api/trading/holdings", {"exchange": exchange, "symbol": symbol, "limit": limit})


def close_position(
    position_id: str,
    *,
    quantity: int | None = None,
    cancel_open_orders: bool | None = None,
    idempotency_key: str | None = None,
    wait_s: int | None = None,
) -> Call[Placement]:
    """Place the MARKET order that closes a position or a part of it, exactly once even if the answer is lost."""
    return Call(
        "POST",
        path(POSITIONS + "/{}/close", position_id),
        one(Placement),
        body={"quantity": quantity, "cancel_open_orders": cancel_open_orders},
        headers=once(idempotency_key, wait_s),
        account_in="query",
        wait_s=wait_s or 0,
    )


def close_positions(
    *,
    cancel_open_orders: bool | None = None,
    idempotency_key: str | None = None,
    wait_s: int | None = None,
    **wanted: Unpack[PositionFilter],
) -> Call[Closings]:
    """Close all open positions, or those that the filters select, up to 500, each exactly once."""
    return Call(
        "POST",
        POSITIONS + "/close",
        one(Closings),
        body={"cancel_open_orders": cancel_open_orders, **wanted},
        headers=once(idempotency_key, wait_s),
        account_in="query",
        wait_s=wait_s or 0,
    )


def convert_position(
    position_id: str,
    *,
    quantity: int | None = None,
    product: Product | None = None,
    idempotency_key: str | None = None,
) -> Call[Conversion]:
    """Convert shares from INTRADAY to DELIVERY, or back if they were bought today; all of them without a quantity."""
    return Call(
        "POST",
        path(POSITIONS + "/{}/convert", position_id),
        one(Conversion),
        body={"quantity": quantity, "product": product},
        headers=once(idempotency_key),
        account_in="query",
    )


def tokens(*, ended: bool = False, limit: int = 200) -> Listing[Token]:
    """List the account's tokens, newest first; with `ended` the revoked and expired ones too."""
    return listing(Token, "/api/trading/tokens", {"ended": ended, "limit": limit})


def events(*, since: int | None = None, limit: int = 200) -> Call[EventPage]:
    """Read the events after one, oldest first; without `since` the oldest that are kept."""
    query = {"since": since, "limit": limit}
    return Call("GET", "/api/trading/events", _event_page, query=query, account_in="query")


def _event_page(answer: Answer) -> EventPage:
    document = document_of(answer)
    return EventPage(
        data=tuple(map(event_of, document["data"])),
        last_event_id=document["lastEventId"],
        reset=document.get("reset", False),
    )
