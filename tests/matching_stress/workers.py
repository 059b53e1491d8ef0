"""The workers in plain SQL: fills of matched orders, first looks, second looks and expiry."""

import random
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from tests.matching_stress.connection import LOCK_TIMEOUT, Link
from tests.matching_stress.market import BUCKET_SPACE, WIDEST, evidence, lock_buckets, present, terms_of
from tests.matching_stress.reckoning import STOPS, Crossing, Tick, look
from tests.matching_stress.settings import Mutation, Settings

LIVE = "status IN ('PENDING', 'OPEN')"
DUE_ACCOUNTS = f"""
SELECT account_id FROM (
    SELECT DISTINCT account_id FROM (
        SELECT account_id FROM trading_order WHERE {LIVE} AND due_at <= clock_timestamp() ORDER BY due_at, placed_at, id
        LIMIT 200) AS oldest) AS each ORDER BY random() LIMIT 4
"""
LOCK_ACCOUNTS = "SELECT id FROM account WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED"
IS_MATCHED = "account_id = ANY(%s::uuid[]) AND status = 'OPEN' AND matched_at IS NOT NULL"
IN_TURN = "ORDER BY account_id, match_sequence, match_class, placed_at, id"
MATCHED = f"SELECT id, account_id FROM trading_order WHERE {IS_MATCHED} {IN_TURN}"
LOCK_MATCHED = f"SELECT * FROM trading_order WHERE {IS_MATCHED} {IN_TURN} FOR NO KEY UPDATE SKIP LOCKED"
LOCK_PENDING = """
SELECT * FROM trading_order
WHERE account_id = ANY(%s::uuid[]) AND status = 'PENDING' AND due_at <= clock_timestamp() ORDER BY id LIMIT 50
FOR NO KEY UPDATE SKIP LOCKED
"""
IS_MODIFIED = "status = 'OPEN' AND watch_price IS NULL AND watch_trigger IS NULL AND matched_at IS NULL"
IS_DUE_OPEN = "status = 'OPEN'"  # the defect: matched ones are due too
MODIFIED = "SELECT id, stock_id FROM trading_order WHERE {} AND due_at <= clock_timestamp() ORDER BY due_at LIMIT 20"
CLAIM = """
SELECT trading_order.* FROM trading_order JOIN account ON account.id = account_id
WHERE trading_order.id = ANY(%s::uuid[]) AND due_at <= clock_timestamp() AND (trading_order.status = 'PENDING' OR ({}))
ORDER BY trading_order.id FOR NO KEY UPDATE OF trading_order, account SKIP LOCKED
"""
STOCKS = "SELECT * FROM stock WHERE id = ANY(%s::uuid[])"
FILL = """
UPDATE trading_order
SET status = 'EXECUTED', filled_quantity = quantity, average_price = new.price, executed_at = clock_timestamp(),
    fill = coalesce(trading_order.fill, new.fill::jsonb), waiting_for = NULL,
    triggered_at = CASE WHEN triggered_at IS NOT NULL OR NOT new.triggers THEN triggered_at ELSE clock_timestamp() END,
    position_id = (SELECT position.id FROM position
                   WHERE (account_id, stock_id) = (trading_order.account_id, trading_order.stock_id))
FROM (VALUES %s) AS new (id, price, fill, triggers) WHERE trading_order.id = new.id
"""
FILL_TYPES = "(%s, %s::price, %s::text, %s)"
LOCK_POSITIONS = "SELECT FROM position WHERE (account_id, stock_id) IN %s ORDER BY id FOR NO KEY UPDATE"
OPEN = """
UPDATE trading_order
SET status = 'OPEN', watch_price = new.price, watch_trigger = new.trigger_price, waiting_for = new.waiting_for,
    opened_number = new.number, due_at = NULL, retry_at = NULL, attempts = 0,
    triggered_at = CASE WHEN new.triggers THEN coalesce(triggered_at, clock_timestamp()) ELSE triggered_at END
FROM (VALUES %s) AS new (id, price, trigger_price, waiting_for, number, triggers) WHERE trading_order.id = new.id
"""
OPEN_TYPES = "(%s, %s::price, %s::price, %s, %s::bigint, %s)"
STEP = """
INSERT INTO stress.step (order_id, kind, number, order_type, price, trigger_price, is_triggered, blind, expires_at)
VALUES %s
"""
# Their account is busy; a row that is busy itself keeps its date.
LATER = f"""
UPDATE trading_order SET due_at = clock_timestamp() + interval '50 ms' WHERE id IN (
    SELECT id FROM trading_order WHERE id = ANY(%s::uuid[]) AND {LIVE} AND matched_at IS NULL AND due_at IS NOT NULL
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED)
"""
STARVED = f"""
SELECT account_id FROM trading_order WHERE {LIVE} AND due_at < clock_timestamp() - interval '300 ms'
ORDER BY due_at, placed_at, id LIMIT 1
"""
DUE_OF_ACCOUNT = f"""
SELECT id, stock_id FROM trading_order
WHERE account_id = %s AND {LIVE} AND due_at <= clock_timestamp() AND matched_at IS NULL LIMIT 20
"""
EXPIRED = f"SELECT id, stock_id FROM trading_order WHERE {LIVE} AND matched_at IS NULL AND expires_at <= %s LIMIT 50"
CLAIM_EXPIRED = f"""
SELECT trading_order.* FROM trading_order JOIN account ON account.id = account_id
WHERE trading_order.id = ANY(%s::uuid[]) AND trading_order.{LIVE} AND matched_at IS NULL AND expires_at <= %s
ORDER BY trading_order.id FOR NO KEY UPDATE OF trading_order, account SKIP LOCKED
"""
END = "UPDATE trading_order SET status = %s WHERE id = ANY(%s::uuid[])"
LONELY_SPACE = 7315

Stocks = dict[UUID, dict[str, Any]]


def work(link: Link, settings: Settings, chance: random.Random) -> bool:
    """Fill what is matched and look at what is due, once; return True if there was something to do."""
    resting, has_worked = _first_look(link)
    return _second_look(link, settings, chance, resting) or has_worked


def rescue(link: Link, settings: Settings, chance: random.Random) -> None:
    """Wait for the account of the order that is due for the longest, alone and holding nothing else."""
    starved = link.rows(STARVED)
    if not starved:
        return
    account_id = starved[0]["account_id"]
    try:
        with link.transaction():
            if not link.value(f"SELECT pg_try_advisory_xact_lock({LONELY_SPACE}, hashtext(%s))", str(account_id)):
                return
            link.rows("SET LOCAL lock_timeout = '100ms'")
            link.rows("SELECT FROM account WHERE id = %s FOR NO KEY UPDATE", account_id)
            link.rows("SET LOCAL lock_timeout = '3s'")
            _fill_matched(link, [account_id])
            _look_again(link, settings, chance, link.rows(DUE_OF_ACCOUNT, account_id))
    except LOCK_TIMEOUT:
        pass


def expire(link: Link, settings: Settings) -> int:
    """End unmatched orders whose time is over, after every quote before their end; return their number."""
    found = link.rows(EXPIRED, link.value("SELECT clock_timestamp()"))
    if not found:
        return 0
    with link.transaction():
        if settings.mutation is not Mutation.NO_BUCKET_LOCK:
            lock_buckets(link, settings, [order["stock_id"] for order in found], shared=True)
        now = link.value("SELECT clock_timestamp()")
        orders = link.rows(CLAIM_EXPIRED, [order["id"] for order in found], now)
        stocks = _stocks(link, orders)
        link.rows(END, "EXPIRED", [order["id"] for order in orders])
        write_steps(link, [step(order, "end", stocks[order["stock_id"]]["quote_number"]) for order in orders])
    return len(orders)


def step(order: Mapping[str, Any], kind: str, number: int, **changes: Any) -> tuple[Any, ...]:
    """Return a row of the log of an order's steps."""
    row = {**order, "is_triggered": order["triggered_at"] is not None, "blind": None, **changes}
    names = ("order_type", "price", "trigger_price", "is_triggered", "blind", "expires_at")
    return (order["id"], kind, number, *[row[name] for name in names])


def write_steps(link: Link, steps: Sequence[tuple[Any, ...]]) -> None:
    """Write the log of orders' steps, under their locks."""
    link.write(STEP, steps, "(%s, %s, %s, %s, %s::numeric, %s::numeric, %s, %s::bigint, %s::timestamptz)")


def _locked_stocks(link: Link, settings: Settings, stock_ids: Sequence[UUID]) -> Stocks:
    """Lock the buckets and read the stocks in one statement, whose snapshot is older than the lock: a defect."""
    lock = f"pg_advisory_xact_lock_shared({BUCKET_SPACE}, abs(hashtext(id::text)) %% {settings.buckets})"
    sql = f"SELECT * FROM (SELECT stock.*, {lock} FROM stock WHERE id = ANY(%s::uuid[]) OFFSET 0) AS locked ORDER BY id"
    return {row["id"]: row for row in link.rows(sql, sorted(set(stock_ids)))}


def _stocks(link: Link, orders: Sequence[Mapping[str, Any]]) -> Stocks:
    rows = link.rows(STOCKS, list({order["stock_id"] for order in orders}))
    return {row["id"]: row for row in rows}


def _first_look(link: Link) -> tuple[list[dict[str, Any]], bool]:
    """Fill matched orders and what fills at its first look; return the rest, and whether there was anything."""
    due = [row["account_id"] for row in link.rows(DUE_ACCOUNTS)]
    if not due:
        return [], False
    with link.transaction():
        accounts = [row["id"] for row in link.rows(LOCK_ACCOUNTS, due)]
        filled = _fill_matched(link, accounts)
        orders = link.rows(LOCK_PENDING, accounts)
        found = _judge(link, orders, _stocks(link, orders))
        _fill_looked(link, orders, found)
    return [order for order in orders if order["id"] not in found], bool(filled or orders)


def _fill_matched(link: Link, accounts: Sequence[UUID]) -> int:
    """Fill the matched orders of locked accounts in their turn, up to the first whose row is busy."""
    turn = link.rows(MATCHED, accounts)
    ready = {row["id"]: row for row in link.rows(LOCK_MATCHED, accounts)}
    stopped: set[UUID] = set()
    fills = []
    for order in turn:
        if order["id"] not in ready:
            stopped.add(order["account_id"])
        elif order["account_id"] not in stopped:
            fills.append(ready[order["id"]])
    _fill(link, fills, [(order["id"], order["match_price"], None, False) for order in fills])
    return len(fills)


def _fill(link: Link, orders: Sequence[Mapping[str, Any]], fills: Sequence[tuple[Any, ...]]) -> None:
    if fills:
        link.rows(LOCK_POSITIONS, tuple({(order["account_id"], order["stock_id"]) for order in orders}))
        link.write(FILL, fills, FILL_TYPES)


def _judge(link: Link, orders: Sequence[Mapping[str, Any]], stocks: Stocks) -> dict[UUID, tuple[Tick, Crossing]]:
    found = {}
    now = link.value("SELECT clock_timestamp()")
    for order in orders:
        tick = present(stocks[order["stock_id"]], now)
        is_over = order["expires_at"] is not None and order["expires_at"] <= now
        crossing = look(terms_of(order), tick) if tick.is_usable and not is_over else None
        if crossing is not None:
            found[order["id"]] = (tick, crossing)
    return found


def _fill_looked(link: Link, orders: Sequence[Mapping[str, Any]], found: Mapping[UUID, tuple[Tick, Crossing]]) -> None:
    filled = [order for order in orders if order["id"] in found]
    fills, steps = [], []
    for order in filled:
        tick, crossing = found[order["id"]]
        fills.append((order["id"], crossing.price, evidence(tick, crossing.rule), order["order_type"] in STOPS))
        steps.append(step(order, "look", tick.number))
    _fill(link, filled, fills)
    write_steps(link, steps)


def _second_look(link: Link, settings: Settings, chance: random.Random, resting: Sequence[Mapping[str, Any]]) -> bool:
    claims_matched = settings.mutation is Mutation.SECOND_LOOK_CLAIMS_MATCHED
    modified = link.rows(MODIFIED.format(IS_DUE_OPEN if claims_matched else IS_MODIFIED))
    if not resting and not modified:
        return False
    with link.transaction():
        _look_again(link, settings, chance, [*resting, *modified])
    return True


def _look_again(link: Link, settings: Settings, chance: random.Random, wanted: Sequence[Mapping[str, Any]]) -> None:
    """Judge orders under their stocks' buckets; fill them or let them rest."""
    if not wanted:
        return
    mutation = settings.mutation
    stocks: Stocks = {}
    if mutation is Mutation.LOCK_AND_READ_AT_ONCE:
        stocks = _locked_stocks(link, settings, [order["stock_id"] for order in wanted])
    elif mutation is not Mutation.NO_BUCKET_LOCK:
        lock_buckets(link, settings, [order["stock_id"] for order in wanted], shared=True)
    due = IS_DUE_OPEN if mutation is Mutation.SECOND_LOOK_CLAIMS_MATCHED else IS_MODIFIED
    ids = [order["id"] for order in wanted]
    orders = link.rows(CLAIM.format(due.replace("status", "trading_order.status")), ids)
    stocks = stocks or _stocks(link, orders)
    found = _judge(link, orders, stocks)
    if chance.random() < 0.2:
        time.sleep(chance.random() * 0.004)  # as the product's own work between the statements
    _fill_looked(link, orders, found)
    _open(link, [order for order in orders if order["id"] not in found], stocks)
    link.rows(LATER, [order_id for order_id in ids if order_id not in {order["id"] for order in orders}])


def _open(link: Link, orders: Sequence[Mapping[str, Any]], stocks: Stocks) -> None:
    opened, steps = [], []
    for order in orders:
        stock = stocks[order["stock_id"]]
        tick = present(stock, order["placed_at"])
        is_stop = order["order_type"] in STOPS
        was_triggered = order["triggered_at"] is not None
        triggers = is_stop and not was_triggered and tick.is_usable and _fires(order, tick)
        waits = is_stop and not was_triggered and not triggers
        blind = None if tick.is_usable else stock["quote_number"]
        watch = None if waits else order["price"] or WIDEST[order["side"]]
        waiting_for = "trigger" if waits else "price" if order["price"] is not None and blind is None else "quote"
        trigger_price = order["trigger_price"] if waits else None
        opened.append((order["id"], watch, trigger_price, waiting_for, blind, triggers))
        is_triggered = was_triggered or triggers
        steps.append(step(order, "open", stock["quote_number"], blind=blind, is_triggered=is_triggered))
    link.write(OPEN, opened, OPEN_TYPES)
    write_steps(link, steps)


def _fires(order: Mapping[str, Any], tick: Tick) -> bool:
    if tick.last is None:
        return False
    return bool(tick.last >= order["trigger_price"] if order["side"] == "BUY" else tick.last <= order["trigger_price"])
