"""Every read is of a state that existed: one statement, or one snapshot."""

import dataclasses
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from config import Settings
from models import buckets
from models.database import db, execute, session
from tests.conftest import METRICS_TOKEN
from tests.support.kite import kite_headers
from tests.support.processes import wait_until
from tests.support.trading import buy, execute_orders, hold, one, sell
from trading.accounts import tokens
from trading.orders.order_book import TODAY

# Each route that reads, by its endpoint, with what of its path is in braces. A new one is told here.
READS = {
    "orders.list_orders": "/api/trading/orders",
    "orders.read": "/api/trading/orders/{order}",
    "orders.read_by_client_id": "/api/trading/orders/by-client-id/mine",
    "orders.history": "/api/trading/orders/{order}/history",
    "trades.list_trades": "/api/trading/trades",
    "trades.list_trades_of_order": "/api/trading/orders/{order}/trades",
    "positions.list_positions": "/api/trading/positions",
    "positions.read": "/api/trading/positions/{position}",
    "positions.list_holdings": "/api/trading/holdings",
    "account.read": "/api/trading/account",
    "account.list_transactions": "/api/trading/transactions",
    "account.list_tokens": "/api/trading/tokens",
    "realtime.list_events": "/api/trading/events",
    "market.list_stocks": "/api/market/stocks",
    "market.clock": "/api/market/clock",
    "market.calendar": "/api/market/calendar",
    "market.read_stock": "/api/market/stocks/NSE/RELIANCE",
    "admin.read": "/api/admin/accounts/{account}",
    "admin.list_accounts": "/api/admin/accounts",
    "admin.list_account_tokens": "/api/admin/accounts/{account}/tokens",
    "admin.list_service_tokens": "/api/admin/tokens",
    "account.equity": "/api/trading/account/equity",
    "operations.read": "/api/admin/operations",
    "operations.read_history": "/api/admin/operations/history",
    "metrics.read": "/metrics",
}
# The same for the door of Kite's clients.
KITE_READS = {
    "kite_users.profile": "/kite/user/profile",
    "kite_quotes.quote": "/kite/quote?i=NSE:RELIANCE",
    "kite_quotes.ohlc": "/kite/quote/ohlc?i=NSE:RELIANCE",
    "kite_quotes.ltp": "/kite/quote/ltp?i=NSE:RELIANCE",
    "kite_orders.list_orders": "/kite/orders",
    "kite_orders.read_history": "/kite/orders/{order}",
    "kite_orders.list_trades_of_order": "/kite/orders/{order}/trades",
    "kite_orders.list_trades": "/kite/trades",
    "kite_portfolio.positions": "/kite/portfolio/positions",
    "kite_portfolio.holdings": "/kite/portfolio/holdings",
    "kite_portfolio.compact_holdings": "/kite/portfolio/holdings/compact",
    "kite_portfolio.holdings_summary": "/kite/portfolio/holdings/summary",
    "kite_margins.funds": "/kite/user/margins",
    "kite_margins.funds_of_segment": "/kite/user/margins/equity",
}
# What is of one account; an administrator names it.
OF_AN_ACCOUNT = "/api/trading/"
OF_ADMINISTRATORS = ("admin.", "operations.")
# Where accounts are in several buckets, these ask each bucket, or its server, by a statement of its own.
OF_EACH_BUCKET = ("metrics.read", "realtime.list_events")
# The statements about the token that a request brings.
ABOUT_THE_CALLER = (tokens.FIND, tokens.CHANGED, tokens.NOTE_USES)
NO_READS = {
    "health.ready": "says of each thing by itself whether it answers now",
    "cron.sweep_orders": "executes, and says what is left",
    "streams.stream": "tells events one after the other, and `reset` where some are gone",
    "health.live": "asks nobody",
    "kite_instruments.instruments": "asks for one portion after the other, so that others are served between them",
    "kite_historical.read_historical": "looks for the id of a token, which never changes, and then asks once",
    "kite_ticker.ticker": "streams the latest of each, one after the other",
    **dict.fromkeys(
        (f"kite_nothing.{name}" for name in ("list_nothing", "miss_thing", "alert_history", "mf_instruments")),
        "has nothing",
    ),
    "kite_nothing.trigger_range": "has nothing",
    **dict.fromkeys(
        ("api-docs.openapi_json", "desk.page", "desk.file", "ops.page", "docs.page", "asyncapi.show"), "is a file"
    ),
}


class Statement(NamedTuple):
    """A statement of a read, the isolation in which it ran, and when its transaction began."""

    sql: str
    isolation: str
    began_at: Any


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[Statement]:
    """Return what this thread asks the database from now on, less what it asks about the token of the request."""
    asked: list[Statement] = []
    usual, this_thread = db.execute_sql, threading.get_ident()

    def watch(sql: str, params: Any = None) -> Any:
        if threading.get_ident() == this_thread and sql not in ABOUT_THE_CALLER:
            with db.cursor() as cursor:
                cursor.execute("SELECT current_setting('transaction_isolation'), now()")
                asked.append(Statement(sql, *cursor.fetchone()))
        return usual(sql, params)

    monkeypatch.setattr(db, "execute_sql", watch)
    return asked


@pytest.fixture
def trader(account: Any, quote: Any) -> Any:
    """Return an account that holds 1,000 RELIANCE, bought at 100.00."""
    quote()
    trader = account()
    hold(trader.id, "BUY", 1_000, "100.00")
    return trader


def test_every_route_that_reads_is_listed_here(app: Any) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in rule.methods]
    endpoints = {rule.endpoint for rule in rules}
    assert endpoints == {*READS, *KITE_READS, *NO_READS}, "say in READS, KITE_READS or NO_READS what it is"


@pytest.mark.parametrize("is_admin", [False, True], ids=["account", "admin"])
@pytest.mark.parametrize("endpoint", READS)
def test_a_read_is_one_statement_or_one_snapshot(
    app: Any,
    settings: Settings,
    client: Any,
    trader: Any,
    headers_for: Any,
    statements: list[Statement],
    monkeypatch: pytest.MonkeyPatch,
    endpoint: str,
    is_admin: bool,
) -> None:
    if endpoint in OF_EACH_BUCKET and buckets.are_several():
        pytest.skip("SHARDS: it asks each bucket by a statement of its own")
    monkeypatch.setattr("api.metrics.STATE_S", 0)
    if endpoint == "market.calendar":  # without a calendar there is nothing to read
        monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, market_calendar="NSE"))
    order, position = buy(trader.id, 1, "10.00", client_order_id="mine"), one("SELECT id FROM position")
    path = READS[endpoint].format(order=order["id"], position=position, account=trader.id)
    needs_admin = endpoint.startswith(OF_ADMINISTRATORS)
    headers = headers_for("admin") if is_admin or needs_admin else trader.headers
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"} if endpoint == "metrics.read" else headers
    query = {"tradingAccountId": trader.id} if is_admin and path.startswith(OF_AN_ACCOUNT) else {}
    client.get(path, query_string=query, headers=headers)  # the first look at a server compares what was told before
    statements.clear()
    answer = client.get(path, query_string=query, headers=headers)
    assert answer.status_code == 200, answer.text
    assert_one_moment(statements)


@pytest.mark.parametrize("endpoint", KITE_READS)
def test_a_read_of_a_kite_client_is_one_statement_or_one_snapshot(
    client: Any, trader: Any, statements: list[Statement], endpoint: str
) -> None:
    order = buy(trader.id, 1, "10.00")
    path = KITE_READS[endpoint].format(order=order["order_number"])
    client.get(path, headers=kite_headers(trader.token))
    statements.clear()
    answer = client.get(path, headers=kite_headers(trader.token))
    assert answer.status_code == 200, answer.text
    # The day is that of the clock, which no row changes.
    assert_one_moment([statement for statement in statements if statement.sql != TODAY])


def assert_one_moment(statements: list[Statement]) -> None:
    """Fail unless there was one statement, or several in one snapshot."""
    assert statements, "nothing was read: is what a read asks still seen here?"
    if len(statements) > 1:
        assert {statement.isolation for statement in statements} == {"repeatable read"}, statements
        assert len({statement.began_at for statement in statements}) == 1, statements


@pytest.mark.one_bucket("its session is of no bucket")
def test_an_order_is_read_with_the_ledger_of_the_same_snapshot(app: Any, trader: Any) -> None:
    order = sell(trader.id, 1, "110.00")

    def read() -> Any:
        return app.test_client().get(f"/api/trading/orders/{order['id']}", headers=trader.headers)

    with session(), ThreadPoolExecutor(1) as pool:
        execute("BEGIN")
        execute("LOCK TABLE fund_transaction")  # a read that comes to the rows waits for the fill
        reading = pool.submit(read)
        wait_until(lambda: one("SELECT count(*) FROM pg_locks WHERE NOT granted"), what="the read waits for the rows")
        assert execute_orders([order["id"]]).executed == 1  # and commits what was begun above
        assert is_of_a_moment(reading.result().get_json())


def is_of_a_moment(order: dict[str, Any]) -> bool:
    """Return True if an order that closes has the rows of its fill exactly when it is EXECUTED."""
    kinds = {row["kind"] for row in order["transactions"]}
    is_executed, is_filled = order["status"] == "EXECUTED", bool(kinds & {"PROFIT", "MARGIN_RELEASE"})
    return is_executed == is_filled == (order["positionId"] is not None)


@pytest.fixture
def polled(app: Any, trader: Any) -> Iterator[dict[str, Any]]:
    """Poll an order, whose id is set, from three threads; `seen` has what they saw."""
    state: dict[str, Any] = {"id": None, "is_over": False, "seen": []}

    def poll() -> None:
        client = app.test_client()
        while not state["is_over"]:
            if state["id"] is not None:
                answer = client.get(f"/api/trading/orders/{state['id']}", headers=trader.headers)
                state["seen"].append((answer.headers["ETag"], answer.get_json()))

    with ThreadPoolExecutor(3) as pool:
        polls = [pool.submit(poll) for _ in range(3)]
        try:
            yield state
        finally:
            state["is_over"] = True
        for each in polls:
            each.result()


def test_a_client_that_polls_an_order_never_sees_half_a_fill(trader: Any, polled: dict[str, Any]) -> None:
    for _ in range(60):
        order = sell(trader.id, 1, "110.00")
        polled["id"] = order["id"]
        assert execute_orders([order["id"]]).executed == 1
    wait_until(lambda: len(polled["seen"]) > 100)
    halves = [order for _, order in polled["seen"] if not is_of_a_moment(order)]
    assert halves == []
    by_tag: dict[str, set[str]] = {}
    for tag, order in polled["seen"]:
        by_tag.setdefault(tag, set()).add(order["status"])
    assert all(len(statuses) == 1 for statuses in by_tag.values())


def test_a_client_that_polls_a_changing_order_sees_consistent_margin(
    client: Any, trader: Any, polled: dict[str, Any]
) -> None:
    polled["id"] = buy(trader.id, 10, "100.00")["id"]
    for number in range(60):
        change = {"json": {"quantity": 11 + number % 7}, "headers": trader.headers | {"If-Match": "*"}}
        assert client.patch(f"/api/trading/orders/{polled['id']}", **change).status_code == 200
    wait_until(lambda: len(polled["seen"]) > 100)
    for _, order in polled["seen"]:
        signs = {"MARGIN_BLOCK": 1, "MARGIN_RELEASE": -1}
        net = sum(signs.get(row["kind"], 0) * Decimal(row["amount"]) for row in order["transactions"])
        assert net == Decimal(order["blockedMargin"])
