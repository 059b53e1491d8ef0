"""The side of the market in plain SQL: quotes with their matching, and the level sweep."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.matching_stress.connection import Link
from tests.matching_stress.reckoning import Crossing, Terms, Tick, walk
from tests.matching_stress.settings import Mutation, Settings

BUCKET_SPACE, SEQUENCE_SPACE = 7313, 7314  # the first keys of the advisory locks
QUOTES_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '1s'"
BUCKETS = """
SELECT {function}({space}, bucket) FROM (
    SELECT DISTINCT abs(hashtext(id::text)) %% {buckets} AS bucket FROM unnest(%s::uuid[]) AS id ORDER BY bucket
) AS wanted
"""
LOCK_STOCKS = "SELECT * FROM stock WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE"
STORE = """
UPDATE stock
SET quote_number = new.number, usable_number = new.usable_number, is_usable = new.is_usable, bid_price = new.bid,
    ask_price = new.ask, last_price = new.last, last_price_at = clock_timestamp(), quoted_at = new.quoted_at,
    newest_trade_at = new.newest_trade_at, is_halted = new.is_halted
FROM (VALUES %s) AS new (id, number, usable_number, is_usable, bid, ask, last, quoted_at, newest_trade_at, is_halted)
WHERE stock.id = new.id
"""
STORE_TYPES = "(%s, %s, %s, %s, %s::price, %s::price, %s::price, %s::timestamptz, %s::timestamptz, %s)"
KEEP = """
INSERT INTO stress.tick (stock_id, number, usable_before, is_usable, bid, ask, last, new_trade, at) VALUES %s
"""
# The watch is repeated in the outer WHERE, because only that is judged again after a wait for an order's row.
CROSSED = """
WITH quote (stock_id, low, high, last) AS (VALUES %s)
SELECT trading_order.* FROM (
    SELECT DISTINCT reached.id, quote.* FROM quote CROSS JOIN LATERAL (
        SELECT id FROM trading_order WHERE stock_id = quote.stock_id AND side = 'BUY' AND watch_price >= quote.low
           AND status = 'OPEN' AND matched_at IS NULL AND watch_price IS NOT NULL
        UNION ALL
        SELECT id FROM trading_order WHERE stock_id = quote.stock_id AND side = 'SELL' AND watch_price <= quote.high
           AND status = 'OPEN' AND matched_at IS NULL AND watch_price IS NOT NULL
        UNION ALL
        SELECT id FROM trading_order WHERE stock_id = quote.stock_id AND side = 'BUY' AND watch_trigger <= quote.last
           AND status = 'OPEN' AND matched_at IS NULL AND watch_trigger IS NOT NULL
        UNION ALL
        SELECT id FROM trading_order WHERE stock_id = quote.stock_id AND side = 'SELL' AND watch_trigger >= quote.last
           AND status = 'OPEN' AND matched_at IS NULL AND watch_trigger IS NOT NULL) AS reached
) AS found JOIN trading_order ON trading_order.id = found.id
WHERE status = 'OPEN' AND matched_at IS NULL
  AND CASE side WHEN 'BUY' THEN coalesce(watch_price >= low, false) OR coalesce(watch_trigger <= last, false)
      ELSE coalesce(watch_price <= high, false) OR coalesce(watch_trigger >= last, false) END
ORDER BY trading_order.id FOR NO KEY UPDATE OF trading_order
"""
MATCH = """
UPDATE trading_order
SET match_sequence = new.sequence, match_class = new.class, match_price = new.price, matched_at = new.at,
    due_at = new.at, waiting_for = NULL, fill = new.fill::jsonb,
    triggered_at = coalesce(trading_order.triggered_at, new.triggered_at)
FROM (VALUES %s) AS new (id, sequence, class, price, at, fill, triggered_at) WHERE trading_order.id = new.id
"""
TRIGGER = """
UPDATE trading_order
SET triggered_at = new.at, watch_trigger = NULL, watch_price = new.watch, waiting_for = new.waiting_for
FROM (VALUES %s) AS new (id, at, watch, waiting_for) WHERE trading_order.id = new.id
"""
WIDEST = {"BUY": Decimal("10000000.00"), "SELL": Decimal("0.01")}


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote as a feeder sends it."""

    stock_id: UUID
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal
    traded_at: datetime | None
    quoted_at: datetime | None  # None: the database's clock
    is_halted: bool


def lock_buckets(link: Link, settings: Settings, stock_ids: Iterable[UUID], *, shared: bool) -> None:
    """Lock the buckets of stocks until the transaction's end, in a statement of its own."""
    function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    sql = BUCKETS.format(function=function, space=BUCKET_SPACE, buckets=settings.buckets)
    link.rows(sql, sorted(set(stock_ids)))


def put_quotes(link: Link, settings: Settings, quotes: Sequence[Quote]) -> tuple[int, int]:
    """Store quotes of different stocks and match them, in one transaction; return how many were stored and matched."""
    with link.transaction():
        link.rows(QUOTES_LOCK_TIMEOUT)
        lock_buckets(link, settings, [quote.stock_id for quote in quotes], shared=False)
        at = link.value("SELECT clock_timestamp()")
        stocks = {row["id"]: row for row in link.rows(LOCK_STOCKS, [quote.stock_id for quote in quotes])}
        ticks: dict[UUID, Tick] = {}
        stored = []
        for quote in quotes:
            stock, quoted_at = stocks[quote.stock_id], quote.quoted_at or at
            if stock["quoted_at"] is not None and stock["quoted_at"] > quoted_at:
                continue  # stale
            tick = ticks[quote.stock_id] = _tick(stock, quote, at)
            newest = _newest(stock["newest_trade_at"], quote.traded_at) if tick.is_usable else stock["newest_trade_at"]
            usable_number = tick.number if tick.is_usable else tick.usable_before
            stored.append(
                (quote.stock_id, tick.number, usable_number, tick.is_usable, tick.bid, tick.ask, tick.last, quoted_at,
                 newest, quote.is_halted)
            )  # fmt: skip
        link.write(STORE, stored, STORE_TYPES)
        link.write(KEEP, [(stock_id, *_columns(tick)) for stock_id, tick in ticks.items()])
        matched = _match(link, settings, ticks, at)
    return len(stored), matched


def sweep_levels(link: Link, settings: Settings, stock_ids: Sequence[UUID]) -> int:
    """Match what the present quotes cross; return the number of matches, each of which a quote has missed."""
    with link.transaction():
        link.rows(QUOTES_LOCK_TIMEOUT)
        lock_buckets(link, settings, stock_ids, shared=False)
        at = link.value("SELECT clock_timestamp()")
        stocks = link.rows(LOCK_STOCKS, list(stock_ids))
        return _match(
            link, settings, {stock["id"]: present(stock, at) for stock in stocks if stock["quote_number"]}, at
        )


def present(stock: Mapping[str, Any], at: datetime) -> Tick:
    """Return a stock's stored quote as a look judges it: it brings no trade, and nothing is before it."""
    is_usable = stock["is_usable"] and not stock["is_halted"]
    prices = stock["bid_price"], stock["ask_price"], stock["last_price"]
    return Tick(stock["quote_number"], stock["usable_number"], is_usable, *prices, None, at)


def terms_of(order: Mapping[str, Any]) -> Terms:
    """Return the terms of an order's row."""
    return Terms(
        order["side"], order["order_type"], order["price"], order["trigger_price"], order["triggered_at"] is not None,
        order["opened_number"], order["limit_fills"], order["expires_at"],
    )  # fmt: skip


def evidence(tick: Tick, rule: str) -> str:
    """Return the `fill` of an order as JSON."""
    prices = {name: None if price is None else str(price) for name, price in _prices(tick).items()}
    return json.dumps({"quoteNumber": tick.number, **prices, "quotedAt": tick.at.isoformat(), "rule": rule})


def _prices(tick: Tick) -> dict[str, Decimal | None]:
    return {"bid": tick.bid, "ask": tick.ask, "last": tick.last}


def _tick(stock: Mapping[str, Any], quote: Quote, at: datetime) -> Tick:
    is_crossed_book = quote.bid is not None and quote.ask is not None and quote.bid > quote.ask
    is_new = quote.traded_at is not None and (
        stock["newest_trade_at"] is None or quote.traded_at > stock["newest_trade_at"]
    )
    return Tick(
        number=stock["quote_number"] + 1,
        usable_before=stock["usable_number"],
        is_usable=not (quote.is_halted or is_crossed_book),
        bid=quote.bid,
        ask=quote.ask,
        last=quote.last,
        new_trade=quote.last if is_new else None,
        at=at,
    )


def _columns(tick: Tick) -> tuple[Any, ...]:
    return (
        tick.number, tick.usable_before, tick.is_usable, tick.bid, tick.ask, tick.last, tick.new_trade, tick.at
    )  # fmt: skip


def _newest(before: datetime | None, traded_at: datetime | None) -> datetime | None:
    return max((each for each in (before, traded_at) if each is not None), default=None)


def _match(link: Link, settings: Settings, ticks: Mapping[UUID, Tick], at: datetime) -> int:
    usable = {stock_id: tick for stock_id, tick in ticks.items() if tick.is_usable}
    if not usable:
        return 0
    sql = CROSSED
    if settings.mutation is Mutation.MATCHING_SKIPS_LOCKED:
        sql += " SKIP LOCKED"
    reaches = [(stock_id, *_reach(tick), tick.last) for stock_id, tick in usable.items()]
    values = ", ".join(["(%s, %s::price, %s::price, %s::price)"] * len(reaches))
    crossed = link.rows(sql.replace("%s", values), *[value for reach in reaches for value in reach])
    matches: list[tuple[UUID, UUID, int, Crossing, datetime | None]] = []
    triggers = []
    for order in crossed:
        found = walk(terms_of(order), [usable[order["stock_id"]]])
        triggered_at = at if found.triggered_by is not None else None
        if found.crossing is not None:
            match_class = 0 if triggered_at is not None else 1
            matches.append((order["stock_id"], order["id"], match_class, found.crossing, triggered_at))
        elif triggered_at is not None:
            watch = order["price"] or WIDEST[order["side"]]
            triggers.append((order["id"], at, watch, "price" if order["price"] is not None else "quote"))
    link.write(TRIGGER, triggers, "(%s, %s::timestamptz, %s::price, %s)")
    _write_matches(link, usable, matches, at)
    return len(matches)


def _write_matches(link: Link, ticks: Mapping[UUID, Tick], matches: Sequence[Any], at: datetime) -> None:
    if not matches:
        return
    link.rows(f"SELECT pg_advisory_xact_lock({SEQUENCE_SPACE}, 0)")
    stock_ids = list(dict.fromkeys(match[0] for match in matches))
    numbers = {stock_id: link.value("SELECT nextval('match_sequence')") for stock_id in stock_ids}
    rows = [
        (
            order_id,
            numbers[stock_id],
            match_class,
            found.price,
            at,
            evidence(ticks[stock_id], found.rule),
            triggered,
        )
        for stock_id, order_id, match_class, found, triggered in matches
    ]
    link.write(MATCH, rows, "(%s, %s, %s, %s::price, %s::timestamptz, %s, %s::timestamptz)")


def _reach(tick: Tick) -> tuple[Decimal | None, Decimal | None]:
    """Return the lowest price of a BUY's watch and the highest of a SELL's that this quote reaches."""
    lows = [price for price in (tick.offer("BUY"), tick.new_trade) if price is not None]
    highs = [price for price in (tick.offer("SELL"), tick.new_trade) if price is not None]
    return min(lows, default=None), max(highs, default=None)
