"""The loader: it fills a database with years of history, with orders, ledger entries and events by the million.

The product's own code takes a pattern account once through a cycle of three orders: BUY 2 and SELL 1, both executed,
and BUY 1, cancelled. That leaves 9 ledger entries and 13 events. The loader then copies all rows of the cycle with
COPY, again and again for every account. A cycle changes balance, margin, profit and position by the same amounts each
time, so that every running sum is known in advance. `ledger verify` checks the result.

One cycle in ten belongs to the reader, whose history is long enough for deep pages. The rows of all accounts are
written in the order of time, and the indexes grow with them, as in production.
"""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from bench.growth import rows
from bench.seeding import ACCOUNT_PREFIX, ACCOUNTS, EXCHANGE, OPENING_BALANCE, PRICE, STOCKS, SYMBOL_PREFIX, symbol_of
from embedded.postgres import binary
from models.database import db, execute, fetch_one, session, transactional, unbounded
from models.rows import OrderRow
from trading.execution.executing import execute_orders
from trading.orders.cancellation import cancel_order
from trading.orders.placement import place_order
from trading.rules.decision import OrderRequest
from trading.rules.terms import OrderType, Side

READER, PATTERN = ACCOUNTS + 1, ACCOUNTS + 2
POSITION_PREFIX = "00000000-0000-7000-9000-"
PROFIT = PRICE / 100
EVENT_DAYS = 8  # one day more than events are kept, for retention to delete
CHUNK = 25_000  # cycles of one COPY, whose rows are sorted in memory
TABLES = ("account", "position", "trading_order", "fund_transaction", "event")


class LoadingError(Exception):
    """psql failed; the message names the statement."""


@dataclass(frozen=True)
class Volume:
    """The amount to load; every reader_every-th cycle belongs to the reader, the others to all accounts in turn."""

    orders: int
    events: int
    reader_every: int = 10

    @property
    def cycles(self) -> int:
        """Return the total number of cycles."""
        return -(-self.orders // rows.ORDERS_PER_CYCLE)

    @property
    def step(self) -> timedelta:
        """Return the time between two cycles."""
        return timedelta(days=EVENT_DAYS) / self.cycles_with_events

    @property
    def began_at(self) -> datetime:
        """Return the time of the first cycle of a load that begins now."""
        return datetime.now(UTC) - self.step * (self.cycles + 1)

    @property
    def cycles_with_events(self) -> int:
        """Return the number of cycles at the end that are young enough to have events."""
        return min(self.cycles, max(1, -(-self.events // rows.EVENTS_PER_CYCLE)))


def account_id_of(number: int) -> UUID:
    """Return the id of an account by its number."""
    return UUID(f"{ACCOUNT_PREFIX}{number:012d}")


def load(url: str, volume: Volume, progress: Callable[[str], None] = lambda text: None) -> dict[str, float]:
    """Load a migrated and seeded database, and return the seconds that each table took."""
    _open_accounts()
    _go_through_the_cycle()
    parameters = _parameters(volume)
    seconds = {}
    for table in rows.ROWS:
        began = time.monotonic()
        _copy_table(url, table, volume, parameters)
        seconds[table] = time.monotonic() - began
        progress(f"{table}: {seconds[table]:.0f} s")
    began = time.monotonic()
    with unbounded():
        # Without statistics, a plan of the next statements may read all events once for each account.
        execute(f"ANALYZE {', '.join(TABLES)}")
        _finish(parameters)
        execute(f"VACUUM (FREEZE, ANALYZE) {', '.join(TABLES)}")
    return {**seconds, "accounts, positions and vacuum": time.monotonic() - began}


def sizes() -> dict[str, dict[str, int]]:
    """Return the estimated rows of each table, and the sizes of the table and its indexes in MB."""
    found = {}
    for table in TABLES:
        with session():
            row = fetch_one(
                "SELECT sum(greatest(reltuples, 0)) FILTER (WHERE relkind = 'r') AS rows,"
                " sum(pg_table_size(oid)) / 1e6 AS table_mb, sum(pg_indexes_size(oid)) / 1e6 AS index_mb"
                " FROM pg_class WHERE oid = %(table)s::regclass"
                " OR oid IN (SELECT relid FROM pg_partition_tree(%(table)s::regclass))",
                {"table": table},
            )
        assert row is not None
        found[table] = {name: round(float(value)) for name, value in row.items()}
    return found


@transactional
def _open_accounts() -> None:
    parameters = {"account_prefix": ACCOUNT_PREFIX, "balance": OPENING_BALANCE, "reader": READER, "pattern": PATTERN}
    execute(rows.OPEN_ACCOUNTS, parameters)


def _go_through_the_cycle() -> None:
    account_id = account_id_of(PATTERN)
    for side, quantity, price in ((Side.BUY, 2, PRICE), (Side.SELL, 1, PRICE + PROFIT)):
        execute_orders([_place(account_id, side, quantity, price)["id"]])
    cancel_order(account_id, _place(account_id, Side.BUY, 1, PRICE)["id"])


def _place(account_id: UUID, side: Side, quantity: int, price: Decimal) -> OrderRow:
    request = OrderRequest(EXCHANGE, symbol_of(1), side, quantity, order_type=OrderType.LIMIT, price=price)
    return place_order(account_id, request, calendar=None).order


def _parameters(volume: Volume) -> dict[str, Any]:
    return {
        "account_prefix": ACCOUNT_PREFIX,
        "position_prefix": POSITION_PREFIX,
        "symbol_prefix": SYMBOL_PREFIX,
        "exchange": EXCHANGE,
        "stocks": STOCKS,
        "accounts": ACCOUNTS,
        "reader": READER,
        "reader_every": volume.reader_every,
        "pattern_id": account_id_of(PATTERN),
        "balance": OPENING_BALANCE,
        "cycles": volume.cycles,
        "began_at": volume.began_at,
        "step": volume.step,
    }


def _copy_table(url: str, table: str, volume: Volume, parameters: dict[str, Any]) -> None:
    """Copy the rows of a table in chunks, from a connection that computes them to one that stores them."""
    first = volume.cycles - volume.cycles_with_events if table == "event" else 0
    target = f"COPY {table} ({rows.COLUMNS[table]}) FROM STDIN (FORMAT binary)"
    for start in range(first, volume.cycles, CHUNK):
        chunk = {"first": start, "last": min(start + CHUNK, volume.cycles) - 1}
        with session(), db.cursor() as cursor:
            source = cursor.mogrify(rows.ROWS[table], parameters | chunk).decode()
        _pipe(url, f"COPY ({source}) TO STDOUT (FORMAT binary)", target)


def _pipe(url: str, source: str, target: str) -> None:
    command = [str(binary("psql")), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", url]
    maker = subprocess.Popen(
        [*command, "--command=SET work_mem = '512MB'", f"--command={source}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
    )  # fmt: skip
    # Without triggers: the copied rows already include the triggers' results.
    taker = subprocess.run(
        [*command, "--command=SET session_replication_role = replica", f"--command={target}"], stdin=maker.stdout
    )
    assert maker.stdout is not None
    maker.stdout.close()
    if maker.wait() != 0 or taker.returncode != 0:
        raise LoadingError(f"psql failed at {target}")


@transactional
def _finish(parameters: dict[str, Any]) -> None:
    """Set the accounts and positions to the end of their histories."""
    execute("SET LOCAL session_replication_role = replica")
    for statement in (rows.POSITIONS, rows.ACCOUNTS, rows.FIRST_ENTRIES, rows.FIRST_EVENTS):
        execute(statement, parameters)
