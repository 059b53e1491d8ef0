"""Clients and operators see the accounts of all buckets as they see those of one."""

import csv
import dataclasses
import io
import json
from datetime import timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest

from actors import broker
from api import create_app, cron
from api.http import exports
from api.stream.event_view import as_text
from api.stream.hub import Hub
from api.stream.listeners import QueueListener
from api.stream.replay import replay
from models import buckets, database
from models.dumps import DumpFailed, read_dump
from tests.buckets.conftest import SHARDS
from tests.support.refusals import check_refusals
from tests.support.trading import buy, execute, one, run
from tests.trading.execution import market
from trading.accounts.tokens import create_token
from trading.day import jobs
from trading.events import lost_events, reading, restored
from trading.events.lost_events import Seen
from trading.market.clock import market_time
from trading.matching import feed
from trading.rules.sessions import indian_day
from trading.upkeep import newest_orders, operations, operations_history

ORDER = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": "100.00"}

MOVE = "SET LOCAL session_replication_role = replica; UPDATE trading_order SET placed_at = %s"


@pytest.fixture(scope="module")
def door(own_url, settings, configured):
    """Make an application on the database of four buckets, which executes orders after their responses."""
    app = create_app(dataclasses.replace(settings, database_url=own_url, shards=SHARDS, order_dispatch="inline"))
    app.testing = True
    check_refusals(app)
    yield app
    broker.configure(settings, role="web")


@pytest.fixture
def client(door, four):
    """Return a client of the application."""
    return door.test_client()


@pytest.fixture
def invoke(door, four):
    """Return a function that runs a command and returns its JSON."""

    def make(*arguments):
        result = door.test_cli_runner().invoke(args=[*arguments, "--json"])
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return json.loads(result.stdout)

    return make


@pytest.fixture
def accounts(open_in):
    """Open one account in each bucket, those of the last bucket first."""
    return [open_in(shard) for shard in reversed(range(SHARDS))][::-1]


def bearer(*scopes, account_id=None):
    return {"Authorization": f"Bearer {create_token(list(scopes), account_id=account_id)[1]}"}


def trader(account_id):
    return bearer("trade", "read", account_id=account_id)


def place(client, headers, **more):
    """Place an order that is filled at once."""
    response = client.post("/api/trading/orders", json=ORDER | more, headers=headers | {"Prefer": "wait=2"})
    assert response.status_code == 200, response.text
    return response.get_json()["order"]


def data_of(client, path, headers, **query):
    response = client.get(path, headers=headers, query_string=query)
    assert response.status_code == 200, response.text
    return response.get_json()["data"]


def test_each_account_trades_and_reads_through_its_own_token(client, accounts):
    for account_id in accounts:
        headers = trader(account_id)
        order = place(client, headers)
        path = f"/api/trading/orders/{order['orderId']}"
        assert client.get(path, headers=headers).get_json()["status"] == "EXECUTED"
        assert len(data_of(client, f"{path}/history", headers)) == 2
        assert len(data_of(client, f"{path}/trades", headers)) == 1
        for listed, number in (("orders", 1), ("trades", 1), ("positions", 1), ("transactions", 3)):
            assert len(data_of(client, f"/api/trading/{listed}", headers)) == number, listed
        assert client.get("/api/trading/account", headers=headers).get_json()["blockedMargin"] == "20.00"
        events = data_of(client, "/api/trading/events", headers)
        assert [event["id"] for event in events] == list(range(1, len(events) + 1))


def test_a_basket_and_a_close_of_all_with_a_key_are_done_once_and_a_refused_one_is_judged_anew(client, accounts):
    for account_id in accounts:
        headers = trader(account_id) | {"Idempotency-Key": "basket", "Prefer": "wait=2"}
        refused = {"orders": [ORDER | {"quantity": 1_000_000, "price": "9000.00"}] * 2}
        results = client.post("/api/trading/orders/batch", json=refused, headers=headers).get_json()["results"]
        assert [result["status"] for result in results] == [422, 422]
        basket = {"orders": [ORDER, ORDER | {"symbol": "TCS"}]}
        first, second = (client.post("/api/trading/orders/batch", json=basket, headers=headers) for _ in range(2))
        assert [result["status"] for result in first.get_json()["results"]] == [200, 200]
        assert second.get_json() == first.get_json()
        other = client.post("/api/trading/orders/batch", json={"orders": [ORDER]}, headers=headers)
        assert other.get_json()["code"] == "idempotency_conflict"
        feed.set_quotes([("NSE", "RELIANCE", Decimal("100.00")), ("NSE", "TCS", Decimal("100.00"))])
        first, second = (client.post("/api/trading/positions/close", headers=headers) for _ in range(2))
        assert len(first.get_json()["placed"]) == 2
        assert second.get_json() == first.get_json()


@pytest.mark.parametrize("fill_model", ["IMMEDIATE", "QUOTES"])
def test_an_order_is_previewed_and_modified_to_the_terms_that_it_has(client, open_in, fill_model):
    quote = {"exchange": "NSE", "symbol": "RELIANCE", "bidPrice": "99.95", "askPrice": "100.05", "lastPrice": "100.00"}
    quotes = client.put("/api/market/quotes", json={"quotes": [quote]}, headers=bearer("feed"))
    assert quotes.status_code in (200, 204)
    for shard in range(SHARDS):
        account_id = open_in(shard, fill_model=fill_model)
        headers = trader(account_id)
        preview = client.post("/api/trading/orders/preview", json=ORDER, headers=headers)
        assert preview.status_code == 200, preview.text
        with buckets.of(account_id):
            order = buy(account_id, 1, Decimal("90.00"))
        path = f"/api/trading/orders/{order['id']}"
        for quantity in (1, 2):
            changed = client.patch(path, json={"quantity": quantity}, headers=headers | {"If-Match": "*"})
            assert (changed.status_code, changed.get_json()["quantity"]) == (200, quantity)


def test_an_administrator_reads_and_trades_for_an_account_of_any_bucket(client, accounts):
    admin = bearer("admin")
    for account_id in accounts:
        named = {"tradingAccountId": str(account_id)}
        order = place(client, admin, **named)
        path = f"/api/trading/orders/{order['orderId']}"
        assert client.get(path, headers=admin, query_string=named).status_code == 200
        assert client.get(f"{path}/history", headers=admin, query_string=named).status_code == 200
        for listed in ("orders", "trades", "positions", "holdings", "transactions", "tokens", "events"):
            data_of(client, f"/api/trading/{listed}", admin, **named)
        position = data_of(client, "/api/trading/positions", admin, **named)[0]["positionId"]
        assert client.get(f"/api/trading/positions/{position}", headers=admin, query_string=named).status_code == 200
        feed.set_quotes([("NSE", "RELIANCE", Decimal("100.00"))])
        closed = client.post(f"/api/trading/positions/{position}/close", headers=admin, query_string=named)
        assert closed.status_code == 202, closed.text
        assert client.get("/api/trading/account/equity", headers=admin, query_string=named | {"interval": "1h"}).data


def test_an_administrator_changes_an_account_of_any_bucket(client, accounts):
    admin = bearer("admin")
    for account_id in accounts:
        path = f"/api/admin/accounts/{account_id}"
        assert client.patch(path, json={"name": "B"}, headers=admin).get_json()["name"] == "B"
        funds = {"kind": "DEPOSIT", "amount": "5.00"}
        assert client.post(f"{path}/funds", json=funds, headers=admin).get_json()["balanceAfter"] == "1000005.00"
        assert client.post(f"{path}/tokens", json={"scopes": ["read"]}, headers=admin).status_code == 201
        assert len(data_of(client, f"{path}/tokens", admin)) == 1
        assert client.post(f"{path}/reset", json={"balance": "7.00"}, headers=admin).get_json()["balance"] == "7.00"
        assert client.get(path, headers=admin).get_json()["balance"] == "7.00"


def test_an_unknown_account_is_not_found_whatever_its_bucket(client, four):
    from models.identifiers import new_id

    admin = bearer("admin")
    for _ in range(2 * SHARDS):
        unknown = new_id()
        assert client.get(f"/api/admin/accounts/{unknown}", headers=admin).status_code == 404
        tokens = f"/api/admin/accounts/{unknown}/tokens"
        assert client.post(tokens, json={"scopes": ["read"]}, headers=admin).status_code == 404
        found = client.get("/api/trading/orders", headers=admin, query_string={"tradingAccountId": str(unknown)})
        assert found.status_code == 404


def test_no_request_leaves_its_bucket_to_the_next_one(client, accounts):
    place(client, trader(accounts[2]))
    assert buckets.current() is None
    assert client.get("/api/trading/orders", headers=bearer("admin")).status_code == 422
    assert buckets.current() is None


def test_the_list_of_accounts_is_merged_page_by_page(client, open_in):
    made = [str(open_in(number % SHARDS)) for number in range(10)]
    admin, pages, cursor = bearer("admin"), [], None
    while cursor is not None or not pages:
        query = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = client.get("/api/admin/accounts", headers=admin, query_string=query).get_json()
        pages.append([row["tradingAccountId"] for row in page["data"]])
        cursor = page["nextCursor"]
    assert list(map(len, pages)) == [3, 3, 3, 1]
    assert [row for page in pages for row in page] == sorted(made, reverse=True)
    assert len(data_of(client, "/api/admin/accounts", admin, search="in 2")) == 2


def test_an_export_reads_its_later_portions_in_the_bucket_too(client, accounts, monkeypatch):
    monkeypatch.setattr(exports, "PORTION", 2)
    for account_id in accounts[1:3]:
        headers = trader(account_id)
        for _ in range(5):
            place(client, headers)
        answer = client.get("/api/trading/orders", headers=headers | {"Accept": "text/csv"})
        assert len(list(csv.DictReader(io.StringIO(answer.text)))) == 5


def test_kites_door_trades_in_the_bucket_of_its_token(client, accounts):
    for account_id in accounts:
        secret = create_token(["trade", "read"], account_id=account_id)[1]
        headers = {"Authorization": f"token key:{secret}"}
        order = {"exchange": "NSE", "tradingsymbol": "INFY", "transaction_type": "BUY", "quantity": "1"}
        order |= {"order_type": "LIMIT", "price": "100", "product": "MIS", "validity": "DAY"}
        placed = client.post("/kite/orders/regular", data=order, headers=headers)
        assert placed.status_code == 200, placed.text
        number = placed.get_json()["data"]["order_id"]
        assert [row["order_id"] for row in client.get("/kite/orders", headers=headers).get_json()["data"]] == [number]
        assert client.delete(f"/kite/orders/regular/{number}", headers=headers).status_code == 200
        for path in ("user/profile", "user/margins", "portfolio/positions", "portfolio/holdings", "trades"):
            assert client.get(f"/kite/{path}", headers=headers).status_code == 200, path
        session = client.post("/kite/session/token", data={"api_key": "key", "request_token": secret, "checksum": "0"})
        assert session.get_json()["data"]["user_id"]


def test_a_quote_fills_the_orders_of_all_buckets_without_a_worker(client, open_in):
    watchers = [open_in(shard, fill_model="QUOTES") for shard in range(SHARDS)]
    feed.set_quotes([("NSE", "RELIANCE", Decimal("110.00"))])
    for account_id in watchers:
        with buckets.of(account_id):
            assert execute(buy(account_id, 1, Decimal("100.00"))).opened == 1
    quote = {"exchange": "NSE", "symbol": "RELIANCE", "lastPrice": "99.00"}
    answer = client.put("/api/market/quotes", json={"quotes": [quote]}, headers=bearer("feed"))
    answer.close()  # what follows a response runs now
    assert answer.status_code == 204
    assert buckets.in_each(lambda: one("SELECT status FROM trading_order")) == ["EXECUTED"] * SHARDS


def test_the_operators_page_counts_the_orders_of_all_buckets(client, accounts):
    placed = [buy_in(account_id) for account_id in accounts]
    execute_in(placed[1])
    admin = bearer("admin")
    page = client.get("/api/admin/operations", headers=admin).get_json()
    assert page["pending"]["count"] == SHARDS - 1
    assert {row["orderId"] for row in page["dueOrders"]} == {str(row["id"]) for row in placed if row is not placed[1]}
    assert page["latency"]["orders"] == 1
    assert client.get("/api/admin/operations/history", headers=admin).status_code == 200


def test_rates_and_minutes_are_those_of_all_buckets_together(accounts):
    now = market_time().replace(microsecond=0)
    for number, account_id in enumerate(accounts, 1):
        for _ in range(number):
            buy_in(account_id)
    for shard in buckets.each():
        run(MOVE, now - timedelta(minutes=2))
        assert one("SELECT count(*) FROM trading_order") == shard + 1
    minutes = [minute["placed"] for minute in operations_history.read_minutes()]
    assert sum(minutes) == 10
    for _ in buckets.each():
        run(MOVE, now - timedelta(seconds=3))
    seconds = operations.read_operations()["throughput"]["seconds"]
    assert max(second["placed"] for second in seconds) == 10


def test_seconds_that_one_bucket_does_not_cover_are_left_out(accounts, monkeypatch):
    monkeypatch.setattr(newest_orders, "NEWEST_ORDERS", 2 * SHARDS)
    now = market_time()
    for age_s in (30, 20, 10):
        order = buy_in(accounts[1])
        with buckets.of(accounts[1]):
            run(
                f"{MOVE} WHERE id = %s",
                now - timedelta(seconds=age_s),
                order["id"],
            )
    seconds = operations.read_operations()["throughput"]["seconds"]
    assert seconds[0]["at"].timestamp() == int((now - timedelta(seconds=20)).timestamp()) + 1


def test_the_cron_endpoint_begins_no_daily_work_when_a_host_may_end_it(client, four, settings, monkeypatch):
    now, worked_in = [0.0], []

    def work():
        worked_in.append(buckets.current())
        now[0] += 0.6 * cron.DAILY_S
        return True

    monkeypatch.setattr(cron, "do_daily_work", work)
    monkeypatch.setattr(cron, "time", SimpleNamespace(monotonic=lambda: now[0]))
    headers = {"Authorization": f"Bearer {settings.cron_secret}"}
    swept = client.get("/api/cron/order-worker", headers=headers).get_json()
    assert len(set(worked_in)) == 2
    assert swept["dailyWorkDone"] is False


def test_the_cron_endpoint_works_in_all_buckets_within_its_limit(client, accounts, settings):
    for account_id in accounts:
        buy_in(account_id)
        buy_in(account_id)
    headers = {"Authorization": f"Bearer {settings.cron_secret}"}
    first = client.get("/api/cron/order-worker?limit=6", headers=headers).get_json()
    assert (first["executed"], first["remaining"]) == (6, 2)
    left = client.get("/api/cron/order-worker?limit=500", headers=headers).get_json()
    assert (left["executed"], left["remaining"]) == (2, 0)


def test_a_limit_below_the_number_of_buckets_forgets_none_of_them(client, accounts, settings):
    for account_id in accounts:
        buy_in(account_id)
    headers = {"Authorization": f"Bearer {settings.cron_secret}"}
    swept = []
    while not swept or swept[-1]["remaining"]:
        swept.append(client.get("/api/cron/order-worker?limit=1", headers=headers).get_json())
        assert swept[-1]["executed"] <= 1
        assert len(swept) < 200
    assert sum(one["executed"] for one in swept) == SHARDS


def test_what_a_small_limit_leaves_ends_orders_of_any_bucket(client, accounts, settings):
    market.quote("99.95", "101.00", "100.50")
    for account_id in accounts:
        market.rest(account_id, "BUY", 1, price="10.00")
        market.rest(account_id, "BUY", 1, price="10.00", ends_at=market.now())
    headers = {"Authorization": f"Bearer {settings.cron_secret}"}
    swept = [client.get("/api/cron/order-worker?limit=1", headers=headers).get_json() for _ in accounts]
    assert [(one["opened"], one["expired"]) for one in swept] == [(1, 1)] * SHARDS


def test_the_commands_see_all_buckets(invoke, accounts):
    listed = [row["tradingAccountId"] for row in invoke("accounts", "list")]
    assert listed == sorted(map(str, accounts))
    assert [row["tradingAccountId"] for row in invoke("accounts", "list", "--limit", "2")] == listed[:2]
    placed = [buy_in(account_id) for account_id in accounts]
    assert len(invoke("orders", "list")) == SHARDS
    newest = str(max(row["id"] for row in placed))
    assert [row["orderId"] for row in invoke("orders", "list", "--limit", "1")] == [newest]
    owner = str(accounts[2])
    assert [row["orderId"] for row in invoke("orders", "list", "--account", owner)] == [str(placed[2]["id"])]
    for order in placed:
        assert invoke("orders", "show", str(order["id"]))["orderId"] == str(order["id"])
    assert invoke("orders", "cancel", str(placed[3]["id"]))[0]["status"] == "CANCELLED"
    assert invoke("orders", "cancel", "--all-of", owner)[0]["orderId"] == str(placed[2]["id"])
    swept = invoke("orders", "sweep", "--limit", "1")
    assert (swept["executed"], swept["remaining"]) == (1, 1)
    assert invoke("orders", "sweep")["remaining"] == 0
    assert invoke("ledger", "verify") == []
    assert invoke("accounts", "show", owner)["balance"] == "1000000.00"
    assert invoke("accounts", "deposit", owner, "1.00")["balanceAfter"] == "1000001.00"
    assert invoke("accounts", "reset", owner, "--balance", "3.00", "--yes")["balance"] == "3.00"
    assert invoke("tokens", "create", "--account", owner, "--scopes", "read")["token"]
    assert len(invoke("tokens", "list", "--account", owner)) == 1


def test_an_account_that_a_command_creates_can_trade(invoke, client):
    made = invoke("accounts", "create", "--name", "New", "--balance", "1000.00")
    place(client, {"Authorization": f"Bearer {made['token']}"})


def test_the_work_of_a_day_is_done_when_every_bucket_has_done_it(invoke, four):
    day = indian_day(market_time())
    with buckets.at(1):
        assert jobs.run_daily("settlement", day, lambda: None)
    (run_of_day,) = jobs.list_runs(day)
    assert run_of_day["finished_at"] is None
    assert invoke("jobs", "run") == {"done": True}
    assert [run["finishedAt"] is None for run in invoke("jobs", "list")] == [False]
    assert invoke("jobs", "repeat", str(day), "settlement")
    assert jobs.list_runs(day)[0]["finished_at"] is None
    assert invoke("jobs", "skip", str(day), "settlement")
    assert [row["detail"].get("skipped") for row in jobs.list_runs(day)] == [True]
    assert invoke("jobs", "run") == {"done": True}


def test_new_events_of_several_buckets_are_read_with_one_identity_of_the_server(accounts):
    events = reading.new_events(dict.fromkeys(accounts, 0), 100)
    assert {event["account_id"] for event in events} == set(accounts)
    assert {event["server"] for event in events} == {lost_events.present_server()}
    assert {reading.page_since(account_id).server for account_id in accounts} == {lost_events.present_server()}


def test_lost_events_are_found_in_the_bucket_of_each_account(accounts):
    seen = {account_id: Seen(reading.page_since(account_id).newest.id + 5, market_time()) for account_id in accounts}
    assert lost_events.find_lost_events(seen).keys() == set(accounts)
    assert reading.page_since(accounts[1], 3).is_lost


def test_the_numbers_before_a_restore_are_kept_in_all_buckets(accounts):
    before = restored.newest_events()
    assert before.keys() == set(accounts)
    assert restored.note_lost_events({account_id: newest + 3 for account_id, newest in before.items()}, 0) == SHARDS
    assert all(reading.page_since(account_id, before[account_id] + 2).is_lost for account_id in accounts)


def test_listeners_of_all_buckets_get_the_events_of_their_account(accounts):
    hub, listeners = Hub(as_text), [QueueListener(account_id, None) for account_id in accounts]
    for listener in listeners:
        hub.add(listener)
        assert len(list(replay(hub, listener, listener.account_id, 0))) > 1
        buy_in(listener.account_id)
    hub.hand_out(hub.followed)
    for listener in listeners:
        told = [listener.queue.get_nowait() for _ in range(listener.queue.qsize())]
        assert {"order.pending", "account.updated"} <= {message.event_type for message in told}
        assert {message.event["account_id"] for message in told} == {listener.account_id}
    hub.compare_server()
    assert hub.memory.server == lost_events.present_server()


def test_a_backup_holds_all_buckets(invoke, accounts, tmp_path):
    kept = buy_in(accounts[1])
    assert invoke("db", "backup", str(tmp_path / "dump"))["bytes"] > 10_000
    buy_in(accounts[2])
    result = invoke("db", "restore", str(tmp_path / "dump"), "--replace")
    assert (result["accountsToReset"], result["violations"]) == (1, 0)
    assert [row["orderId"] for row in invoke("orders", "list")] == [str(kept["id"])]


@pytest.mark.parametrize("shards", [1, 2])
def test_a_backup_of_another_number_of_buckets_replaces_nothing(
    invoke, own_url, accounts, tmp_path, monkeypatch, shards
):
    invoke("db", "backup", str(tmp_path / "dump"))
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(buckets, "_count", shards)
        with pytest.raises(DumpFailed, match=f"made with SHARDS=4, and SHARDS is {shards}"):
            read_dump(own_url, tmp_path / "dump", replaces=True)
    assert len(invoke("accounts", "list")) == SHARDS


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize(
    "command",
    [
        ("accounts", "list"),
        ("orders", "list"),
        ("quotes", "set", "NSE", "TCS", "100.00"),
        ("stocks", "list"),
        ("tokens", "create", "--scopes", "admin"),
        ("jobs", "run"),
        ("jobs", "skip", "2026-11-02", "settlement"),
        ("ledger", "verify"),
        ("db", "status"),
        ("db", "upgrade"),
        ("db", "prune"),
        ("db", "partition"),
        ("db", "restored"),
    ],
    ids=" ".join,
)
def test_a_command_with_another_number_of_buckets_names_that_of_the_database(door, four, own_url, shards, command):
    database.initialise(own_url, pool_size=2, shards=shards)
    try:
        result = door.test_cli_runner().invoke(args=command)
    finally:
        database.initialise(own_url, pool_size=8, shards=SHARDS)
    reason = f"it was made with SHARDS=4, and SHARDS is {shards}: set SHARDS=4"
    assert (result.exit_code, result.stderr) == (1, f"tradepost: The database cannot be used: {reason}.\n")


def test_the_metrics_and_the_health_are_those_of_all_buckets(client, accounts, settings):
    for account_id in accounts:
        buy_in(account_id)
    told = client.get("/metrics", headers={"Authorization": f"Bearer {settings.metrics_token}"}).text
    assert f"tradepost_pending_orders {SHARDS}.0" in told
    ready = client.get("/health/ready").get_json()
    assert (ready["database"], ready["migrations"]) == ("ok", "ok")


def buy_in(account_id):
    """Place an order in the bucket of its account."""
    with buckets.of(account_id):
        return buy(account_id, 1, Decimal("100.00"))


def execute_in(order):
    """Execute an order in the bucket of its account."""
    with buckets.of(order["account_id"]):
        assert execute(order).executed == 1
