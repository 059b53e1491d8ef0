"""The requests of clients in plain SQL: placing, modifying and cancelling."""

import random
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from tests.matching_stress.connection import LOCK_TIMEOUT, Link
from tests.matching_stress.running import LOCK_ACCOUNT, TICK
from tests.matching_stress.settings import Mutation, Settings
from tests.matching_stress.workers import STOCKS, step, write_steps

INSERT = """
INSERT INTO trading_order (id, account_id, stock_id, exchange, symbol, side, product, order_type, quantity, price,
                           trigger_price, closing_quantity, blocked_margin, charges, charge_items, fill_model,
                           limit_fills, expires_at, due_at)
SELECT %s, %s, id, exchange, symbol, %s, 'INTRADAY', %s, 1, %s, %s, 0, 0, 0, '{}', 'QUOTES', %s,
       clock_timestamp() + %s::interval, clock_timestamp()
FROM stock WHERE id = %s
"""
LOCK_ORDER = "SELECT * FROM trading_order WHERE id = %s FOR NO KEY UPDATE"
CHANGE = """
UPDATE trading_order
SET price = %s, trigger_price = %s, watch_price = NULL, watch_trigger = NULL, due_at = clock_timestamp() WHERE id = %s
"""
CHANGE_KEEPING_WATCH = (
    "UPDATE trading_order SET price = %s, trigger_price = %s, due_at = clock_timestamp() WHERE id = %s"
)
CANCEL = "UPDATE trading_order SET status = 'CANCELLED', end_reason = 'client' WHERE id = %s"
TYPES = ("LIMIT", "STOP_LIMIT", "STOP_MARKET", "MARKET")
Order = Mapping[str, Any]


class RolledBack(Exception):
    """A request that a client's process gave up in mid transaction, on purpose."""


def place(link: Link, chance: random.Random, account_id: UUID, stock_id: UUID, last: Decimal) -> None:
    """Insert a PENDING order near the last price under its account's lock, unless the account is busy."""
    side = chance.choice(("BUY", "SELL"))
    order_type = chance.choices(TYPES, weights=(60, 15, 15, 10))[0]
    sign = 1 if side == "BUY" else -1
    trigger = last + sign * TICK * chance.randint(1, 6) if order_type.startswith("STOP") else None
    limit = last - sign * TICK * chance.randint(-2, 6) if order_type == "LIMIT" else None
    if trigger is not None and order_type == "STOP_LIMIT":
        limit = trigger + sign * TICK * chance.randint(0, 3)
    fills = chance.choices(("book", "touch", "through"), weights=(4, 1, 1))[0]
    life = f"{chance.uniform(0.2, 5.0):.3f} s" if chance.random() < 0.3 else None
    try:
        with link.transaction():
            link.rows("SET LOCAL lock_timeout = '50ms'")
            link.rows(LOCK_ACCOUNT, account_id)
            link.rows(INSERT, uuid4(), account_id, side, order_type, limit, trigger, fills, life, stock_id)
    except LOCK_TIMEOUT:
        pass


def modify(link: Link, settings: Settings, chance: random.Random, order: Order) -> bool:
    """Move a resting order's price or trigger; some clients roll back. Return True if it was changed."""
    keeps = settings.mutation is Mutation.MODIFY_KEEPS_WATCH
    move = TICK * chance.choice((-3, -2, -1, 1, 2, 3))
    will_roll_back = chance.random() < 0.4

    def change(locked: Order, number: int) -> None:
        price, trigger = locked["price"], locked["trigger_price"]
        if trigger is not None and locked["triggered_at"] is None:
            trigger += move
        elif price is not None:
            price += move
        link.rows(CHANGE_KEEPING_WATCH if keeps else CHANGE, price, trigger, locked["id"])
        write_steps(link, [step(locked, "modify", number)])
        if will_roll_back:
            time.sleep(chance.random() * 0.02)
            raise RolledBack

    return _change_order(link, order, change, waits=False)


def cancel(link: Link, settings: Settings, order: Order) -> bool:
    """Cancel a live order that the market has not traded; return True if it was cancelled."""

    def end(locked: Order, number: int) -> None:
        link.rows(CANCEL, locked["id"])
        write_steps(link, [step(locked, "end", number)])

    return _change_order(link, order, end, waits=settings.mutation is Mutation.CANCEL_WAITS_FOR_ACCOUNT)


def _change_order(link: Link, order: Order, change: Callable[[Order, int], None], *, waits: bool) -> bool:
    """Take the order, then its account if that is free; if not, wait for it holding nothing, and begin with it."""
    try:
        try:
            with link.transaction():
                link.rows("SET LOCAL lock_timeout = '15s'")
                [locked] = link.rows(LOCK_ORDER, order["id"])
                link.rows(LOCK_ACCOUNT + ("" if waits else " NOWAIT"), order["account_id"])
                return _apply(link, locked, change)
        except LOCK_TIMEOUT:
            with link.transaction():
                link.rows("SET LOCAL lock_timeout = '300ms'")
                link.rows(LOCK_ACCOUNT, order["account_id"])
                [locked] = link.rows(f"{LOCK_ORDER} NOWAIT", order["id"])
                return _apply(link, locked, change)
    except (LOCK_TIMEOUT, RolledBack):
        return False


def _apply(link: Link, locked: Order, change: Callable[[Order, int], None]) -> bool:
    if locked["status"] not in ("PENDING", "OPEN") or locked["matched_at"] is not None:
        return False
    [stock] = link.rows(STOCKS, [locked["stock_id"]])
    change(locked, stock["quote_number"])
    return True
