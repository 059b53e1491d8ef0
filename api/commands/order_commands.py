"""The commands on orders."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import click
from flask.cli import AppGroup

from api.http.pagination import Keyset, fetch_page, fetch_page_of_all, read_timestamp, read_uuid
from models import buckets
from models.database import session
from models.routing import by_account
from models.rows import OrderRow
from schemas.history import OrderHistorySchema
from schemas.orders import STATUSES, OrderDetailSchema, OrderSchema
from trading.execution.sweeping import SweepCounts, sweep_once
from trading.orders.cancellation import cancel_order
from trading.orders.history import order_history
from trading.orders.mass_cancellation import cancel_orders
from trading.orders.order_statements import ORDERS, account_of_order, find_order_with_entries
from trading.orders.selection import OrderFilter
from trading.rules.errors import NotFound, Refused
from trading.upkeep.backlog import count_pending

from .command_input import identifier, record
from .failures import fail, with_database
from .output import NOTHING, Columns, as_json, as_time, joined, short_time, show, show_table
from .progress import counting, patience

orders = AppGroup("orders", help="List, show and cancel orders, and execute those that are due.")

SWEEP_BATCH = 500
MAX_LISTED = 10_000
ORDER, ORDER_DETAIL, HISTORY = OrderSchema(), OrderDetailSchema(), OrderHistorySchema()
NEWEST_FIRST = Keyset({"placed_at": read_timestamp, "id": read_uuid})
# Ids grow with time: across all accounts the primary key gives the newest.
NEWEST_OF_ALL = Keyset({"id": read_uuid})


def stock_of(order: Mapping[str, Any]) -> str:
    """Return an order's or a position's stock as NSE:RELIANCE."""
    return f"{order['exchange']}:{order['symbol']}"


def price_of(order: Mapping[str, Any]) -> str:
    """Return an order's price and trigger."""
    trigger = order["triggerPrice"]
    return joined([order["price"], f"({trigger})" if trigger else None]) or NOTHING


COLUMNS: Columns = {
    "PLACED (IST)": as_time("placedAt"),
    "SIDE": "side",
    "QTY": "quantity",
    "STOCK": stock_of,
    "TYPE": "orderType",
    "PRICE (TRIGGER)": price_of,
    "STATUS": "status",
    "FILLED AT": "averagePrice",
    "ORDER": "orderId",
}
LEDGER_COLUMNS: Columns = {
    "TIME (IST)": as_time("createdAt"),
    "KIND": "kind",
    "AMOUNT": "amount",
    "BALANCE": "balanceAfter",
    "BLOCKED": "blockedAfter",
}
HISTORY_COLUMNS: Columns = {"TIME (IST)": as_time("at"), "EVENT": "type", "STATUS": "status"}


@orders.command("list")
@click.option("--account", "account_id", help="The account. Default: all.")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice(STATUSES, case_sensitive=False),
    help="May be given several times.",
)
@click.option("--symbol", help="For example RELIANCE.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, MAX_LISTED))
@as_json
@with_database
def orders_list(account_id: str | None, statuses: Sequence[str], symbol: str | None, limit: int, as_json: bool) -> None:
    """List orders, the newest first."""
    owner = None if account_id is None else identifier("account", account_id)
    where = {
        "account_id = %s": owner,
        "status = ANY(%s)": list(statuses) or None,
        "symbol = %s": symbol and symbol.upper(),
    }
    if owner is None:
        page = fetch_page_of_all(ORDERS, where, NEWEST_OF_ALL, limit=limit, cursor=None)
    else:
        with buckets.of(owner), session():
            page = fetch_page(ORDERS, where, NEWEST_FIRST, limit=limit, cursor=None)
    show(as_json, ORDER.dump(page["data"], many=True), COLUMNS)


@orders.command("show")
@click.argument("order_id", metavar="ORDER")
@as_json
@with_database
def orders_show(order_id: str, as_json: bool) -> None:
    """Show an order with its charges, its history and its entries in the ledger."""
    wanted = identifier("order", order_id)
    document = _read(account_of_order(wanted), wanted)
    if as_json:
        show(as_json, document)
    else:
        _tell(document)


@by_account
def _read(account_id: UUID, order_id: UUID) -> dict[str, Any]:
    """Return an account's order with its charges, its ledger entries and its history."""
    with session():
        order = find_order_with_entries(account_id, order_id)
    if order is None:
        raise NotFound
    document: dict[str, Any] = ORDER_DETAIL.dump(order)
    document["history"] = HISTORY.dump({"data": order_history(account_id, order_id)})["data"]
    return document


@orders.command("cancel")
@click.argument("order_ids", metavar="[ORDER...]", nargs=-1)
@click.option("--all-of", "account_id", metavar="ACCOUNT", help="Cancel all live orders of this account.")
@as_json
@with_database
def orders_cancel(order_ids: Sequence[str], account_id: str | None, as_json: bool) -> None:
    """Cancel PENDING and OPEN orders; their margin is released and their charges are refunded."""
    if bool(order_ids) == bool(account_id):
        raise click.UsageError("Name the orders, or an account with --all-of.")
    if account_id is not None:
        _cancel_all(identifier("account", account_id), as_json)
        return
    _cancel_each([identifier("order", order_id) for order_id in order_ids], as_json)


@orders.command("sweep")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1))
@as_json
@with_database
def orders_sweep(limit: int, as_json: bool) -> None:
    """Execute due orders in this process, the longest due first."""
    total = SweepCounts()
    with counting(min(limit, count_pending()), "executing") as bar:
        for counts in _sweeps(limit):
            total = SweepCounts(*(sum(pair) for pair in zip(total, counts, strict=True)))
            bar.update(counts.claimed)
    show(as_json, {**total._asdict(), "remaining": count_pending()})


def _sweeps(limit: int) -> Iterator[SweepCounts]:
    """Execute up to limit due orders, one bucket of accounts after the other, and yield the counts of each batch."""
    for _ in buckets.each():
        while wanted := min(limit, SWEEP_BATCH):
            counts = sweep_once(limit=wanted, older_than_ms=0, exclusive=False)
            limit -= counts.claimed
            yield counts
            if counts.claimed < wanted:
                break


def _cancel_each(order_ids: Sequence[UUID], as_json: bool) -> None:
    cancelled, refused = list[OrderRow](), dict[UUID, Exception]()
    for order_id in order_ids:
        try:
            cancelled.append(_cancel(order_id))
        except Refused as error:
            refused[order_id] = error
    _tell_of(cancelled, refused, as_json)


def _cancel(order_id: UUID) -> OrderRow:
    owner = account_of_order(order_id)
    record("order.cancel", {"account_id": owner, "order_id": order_id})
    with patience("cancelling"):
        return cancel_order(owner, order_id)


def _cancel_all(owner: UUID, as_json: bool) -> None:
    """Cancel the live orders of an account, as many at once as the service does, until none is left or refused."""
    record("order.cancel_all", {"account_id": owner})
    with patience("cancelling"):
        done = cancel_orders(owner, OrderFilter())
        cancelled = done.cancelled
        while done.has_more and not done.refused:
            done = cancel_orders(owner, OrderFilter())
            cancelled = [*cancelled, *done.cancelled]
    _tell_of(cancelled, done.refused, as_json)


def _tell_of(cancelled: Sequence[OrderRow], refused: Mapping[UUID, Exception], as_json: bool) -> None:
    """Print the cancelled orders, and fail with the others, each with its reason."""
    show(as_json, ORDER.dump(cancelled, many=True), COLUMNS)
    if refused:
        fail("Not cancelled: " + "; ".join(f"{order_id}: {error}" for order_id, error in refused.items()))


def _tell(order: Mapping[str, Any]) -> None:
    """Print an order for a person: its terms, its history and its ledger entries."""
    for name, value in order.items():
        if isinstance(value, str | int) and not isinstance(value, bool):
            click.echo(f"{name}: {short_time(str(value)) if name.endswith('At') else value}")
    for title, documents, columns in (
        ("history", order["history"], HISTORY_COLUMNS),
        ("ledger", order["transactions"], LEDGER_COLUMNS),
    ):
        click.echo(f"\n{title}")
        show_table(documents, columns)
