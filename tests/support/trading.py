"""Short functions for the tests of trading: place, execute, cancel, and read rows."""

import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from decimal import Decimal
from typing import Any
from uuid import UUID

from models import buckets, database
from models.routing import each_of
from trading.execution import executing
from trading.orders import cancellation, closing, modification, placement
from trading.rules.decision import OrderRequest
from trading.rules.errors import Refused

SYMBOL = "RELIANCE"

Row = Mapping[str, Any]  # of a table, by column name


def money(text: str | int) -> Decimal:
    """Return an amount of rupees with two decimal places."""
    return Decimal(text).quantize(Decimal("0.01"))


def place(account_id: UUID, side: str, quantity: int, price: str | Decimal | None = None, **rest: Any) -> Row:
    """Place an order, LIMIT with a price and MARKET without, and return its row."""
    calendar = rest.pop("calendar", None)
    fields = {"exchange": "NSE", "symbol": SYMBOL} | rest
    request = OrderRequest(
        side=side,
        quantity=quantity,
        order_type="MARKET" if price is None else "LIMIT",
        price=None if price is None else Decimal(price),
        **fields,
    )
    return placement.place_order(account_id, request, calendar=calendar).order


def buy(account_id: UUID, quantity: int, price: str | Decimal | None = None, **rest: Any) -> Row:
    """Place a BUY order."""
    return place(account_id, "BUY", quantity, price, **rest)


def sell(account_id: UUID, quantity: int, price: str | Decimal | None = None, **rest: Any) -> Row:
    """Place a SELL order."""
    return place(account_id, "SELL", quantity, price, **rest)


def close(account_id: UUID, position_id: UUID) -> Row:
    """Close a position."""
    return closing.close_position(account_id, position_id, calendar=None).order


def execute_orders(order_ids: Iterable[Any], **options: Any) -> executing.Outcome:
    """Execute orders, of which only the ids are at hand, as one batch of each bucket of accounts."""
    if not _is_unrouted():
        return executing.execute_orders(order_ids, **options)
    ids = list(order_ids)
    return execute(*rows("SELECT id, account_id FROM trading_order WHERE id = ANY(%s::uuid[])", ids), **options)


def execute(*orders: Row, **options: Any) -> executing.Outcome:
    """Execute these orders as one batch, one of each bucket if there are several buckets of accounts."""
    # No comprehension: it would stay in a bucket in which an execution fails (models.buckets.each).
    outcomes = list(map(functools.partial(executing.execute_orders, **options), _by_bucket(orders)))
    return executing.Outcome(
        executed=sum(outcome.executed for outcome in outcomes),
        rejected=sum(outcome.rejected for outcome in outcomes),
        skipped=sum(outcome.skipped for outcome in outcomes),
        busy={account_id: left for outcome in outcomes for account_id, left in outcome.busy.items()},
        opened=sum(outcome.opened for outcome in outcomes),
        cancelled=sum(outcome.cancelled for outcome in outcomes),
        expired=sum(outcome.expired for outcome in outcomes),
    )


def execute_all(*orders: Row) -> int:
    """Execute these orders in batches until no other transaction holds any; return the number executed here."""
    executed = 0
    for left in _by_bucket(orders):
        while left:
            outcome = executing.execute_orders(left)
            executed += outcome.executed
            left = [order_id for of_account in outcome.busy.values() for order_id in of_account]
    return executed


def _is_unrouted() -> bool:
    return buckets.are_several() and buckets.current() is None


def _by_bucket(orders: Sequence[Row]) -> Iterator[list[UUID]]:
    """Yield the ids of the orders of each bucket, within the bucket; of all orders if the test is in one already."""
    if not _is_unrouted():
        yield [order["id"] for order in orders]
        return
    of_account = {order["id"]: order["account_id"] for order in orders}
    for accounts in each_of(dict.fromkeys(of_account.values())):
        yield [order_id for order_id, account_id in of_account.items() if account_id in accounts]


def hold(account_id: UUID, side: str, quantity: int, price: str, **rest: Any) -> Row:
    """Place and execute an order, and return the row of its position."""
    order = place(account_id, side, quantity, price, **rest)
    assert execute(order).executed == 1
    return row_of("position", order_now(order)["position_id"])


def cancel(order: Row) -> Row:
    """Cancel an order for its owner."""
    return cancellation.cancel_order(order["account_id"], order["id"])


def modify(order: Row, quantity: int | None = None, price: str | Decimal | None = None, **rest: Any) -> Row:
    """Change an order for its owner."""
    change = modification.OrderChange(quantity, None if price is None else Decimal(price))
    options = {"calendar": None} | rest
    return modification.modify_order(order["account_id"], order["id"], change, **options)


def rows(sql: str, *parameters: Any) -> list[dict[str, Any]]:
    """Return the rows of a query."""
    with database.session():
        return database.fetch_all(sql, parameters)


def one(sql: str, *parameters: Any) -> Any:
    """Return the value of a query with one row and one column."""
    (row,) = rows(sql, *parameters)
    (value,) = row.values()
    return value


def run(sql: str, *parameters: Any) -> int:
    """Run a statement and commit it; a change of rows that nobody has routed is made in every bucket."""
    changes_rows = sql.lstrip().startswith(("UPDATE", "DELETE"))
    shards = buckets.shards() if changes_rows and buckets.current() is None else [buckets.current() or 0]
    changed = 0
    for shard in shards:
        with buckets.at(shard) if changes_rows else nullcontext(), database.session(), database.db.atomic():
            changed += database.execute(sql, parameters)
    return changed


def row_of(table: str, row_id: Any) -> Row:
    """Return a row by its id."""
    (row,) = rows(f"SELECT * FROM {table} WHERE id = %s", row_id)
    return row


def order_now(order: Row) -> Row:
    """Return an order's row as it is now."""
    return row_of("trading_order", order["id"])


def account_now(account_id: UUID) -> Row:
    """Return an account's row as it is now."""
    return row_of("account", account_id)


def ledger_of(order: Row) -> list[tuple[str, Decimal]]:
    """Return an order's ledger rows as (kind, amount), in their order."""
    found = rows("SELECT kind, amount FROM fund_transaction WHERE order_id = %s ORDER BY id", order["id"])
    return [(row["kind"], row["amount"]) for row in found]


def counts() -> dict[str, int]:
    """Return the number of rows of each table that an order can change."""
    tables = ("account", "stock", "trading_order", "position", "fund_transaction", "event")
    return {table: one(f"SELECT count(*) FROM {table}") for table in tables}


def at_once(actions: Sequence[Callable[[], Any]]) -> list[Any]:
    """Start actions together, each in a thread; return their results, or the Refused that they raised."""
    barrier = threading.Barrier(len(actions))

    def start(action: Callable[[], Any]) -> Any:
        barrier.wait(10)
        try:
            return action()
        except Refused as refusal:
            return refusal

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(start, actions))
