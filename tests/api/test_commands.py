"""The operator's commands."""

import contextlib
import dataclasses
import json
from uuid import uuid4

import psycopg2
import pytest

from embedded.postgres import Postgres
from models import database
from models.database import DatabaseUnavailable, execute, fetch_one, session
from models.rows import AccountRow
from tests.support.trading import rows


def test_an_account_is_created_with_a_token_that_trades(client, run_well):
    output = run_well("accounts", "create", "--name", "N", "--balance", "1000000.00", "--json")
    assert output.count("\n") == 1
    created = json.loads(output)
    assert set(created) == {"accountId", "token", "tokenId"}
    headers = {"Authorization": f"Bearer {created['token']}"}
    account = client.get("/api/trading/account", headers=headers).get_json()
    assert (account["tradingAccountId"], account["balance"]) == (created["accountId"], "1000000.00")
    order = {"exchange": "NSE", "symbol": "A", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": "1.00"}
    assert client.post("/api/trading/orders", json=order, headers=headers).status_code == 202


@pytest.mark.parametrize("balance", ["x", "-1", "1.001", "1e5", "NaN", ""])
def test_a_bad_balance_is_refused_in_one_line(run_badly, balance):
    assert "openingBalance" in run_badly("accounts", "create", "--name", "N", f"--balance={balance}")


@pytest.mark.parametrize(("options", "fill_model"), [((), "IMMEDIATE"), (("--fill-model", "QUOTES"), "QUOTES")])
def test_an_account_has_the_fill_model_that_the_command_names(run_well, options, fill_model):
    run_well("accounts", "create", "--name", "N", *options, "--json")
    (listed,) = json.loads(run_well("accounts", "list", "--json"))
    assert listed["fillModel"] == fill_model


def test_a_bad_fill_model_is_refused_in_one_line(run_badly):
    assert "fillModel" in run_badly("accounts", "create", "--name", "N", "--fill-model", "LATER")


def test_accounts_are_listed_without_secrets(run_well):
    created = json.loads(run_well("accounts", "create", "--name", "First", "--json"))
    (listed,) = json.loads(run_well("accounts", "list", "--json"))
    assert (listed["tradingAccountId"], listed["name"], listed["balance"]) == (created["accountId"], "First", "0.00")
    assert created["token"] not in run_well("accounts", "list")


def test_a_deposit_is_made(run_well, run_badly, account):
    account_id = str(account("1.00").id)
    assert json.loads(run_well("accounts", "deposit", account_id, "9.50", "--json"))["balanceAfter"] == "10.50"
    assert "amount" in run_badly("accounts", "deposit", account_id, "0")
    assert "UUID" in run_badly("accounts", "deposit", "me", "1")
    assert "does not exist" in run_badly("accounts", "deposit", str(uuid4()), "1")


def test_tokens_are_created_and_revoked(client, run_well, run_badly, account):
    account_id = str(account().id)
    created = json.loads(run_well("tokens", "create", "--account", account_id, "--scopes", "trade,read", "--json"))
    headers = {"Authorization": f"Bearer {created['token']}"}
    assert client.get("/api/trading/account", headers=headers).status_code == 200
    assert created["token"] not in run_well("tokens", "revoke", created["tokenId"])
    assert "does not exist" in run_badly("tokens", "revoke", str(uuid4()))
    assert "UUID" in run_badly("tokens", "revoke", "x")


def test_a_token_of_no_account_feeds_and_administrates(client, run_well):
    created = json.loads(run_well("tokens", "create", "--scopes", "feed,admin", "--json"))
    headers = {"Authorization": f"Bearer {created['token']}"}
    assert client.put("/api/market/quotes", json={"quotes": []}, headers=headers).status_code == 422
    assert client.get(f"/api/admin/accounts/{uuid4()}", headers=headers).status_code == 404


@pytest.mark.parametrize(
    "options",
    [
        ["--scopes", "trade"],
        ["--scopes", ""],
        ["--scopes", "root"],
        ["--scopes", "admin", "--expires-at", "2020-01-01T00:00:00Z"],
        ["--scopes", "admin", "--expires-at", "tomorrow"],
        ["--scopes", "admin", "--account", "01a204eb-88a0-72a2-b773-773d0f84d6b4"],
        ["--scopes", "read", "--account", "x"],
        ["--scopes", "read", "--account", "01a204eb-88a0-72a2-b773-773d0f84d6b4"],
    ],
)
def test_options_that_make_no_valid_token_are_refused_in_one_line(run_badly, options):
    run_badly("tokens", "create", *options)


def test_a_quote_is_set(run_well, run_badly):
    run_well("quotes", "set", "NSE", "reliance", "2500.00")
    with session():
        assert str(fetch_one("SELECT last_price FROM stock WHERE symbol = 'RELIANCE'")["last_price"]) == "2500.00"
    run_well("quotes", "set", "NSE", "RELIANCE", "2500.00", "--bid", "2499.95", "--ask", "2500.05")
    stock = rows("SELECT bid_price, ask_price, is_usable FROM stock")
    assert [tuple(map(str, row.values())) for row in stock] == [("2499.95", "2500.05", "True")]
    assert "bidPrice" in run_badly("quotes", "set", "NSE", "RELIANCE", "1", "--bid", "free")
    assert "lastPrice" in run_badly("quotes", "set", "NSE", "RELIANCE", "free")
    assert "exchange" in run_badly("quotes", "set", "LSE", "RELIANCE", "1")


def test_stocks_are_imported_from_a_file(run_well, tmp_path):
    path = tmp_path / "stocks.csv"
    path.write_text("\ufeffexchange,symbol,lastPrice\r\nNSE,tcs,3500.00\r\n\r\nBSE,INFY,\r\n", encoding="utf-8")
    assert run_well("stocks", "import", str(path)) == "2 read, 2 new, 1 priced\n"
    assert run_well("stocks", "import", str(path)) == "2 read, 0 new, 1 priced\n"
    path.write_text("exchange,symbol\nNSE,WIPRO\n")
    run_well("stocks", "import", str(path))
    with session():
        assert fetch_one("SELECT count(*) AS number FROM stock")["number"] == 3


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"exchange,symbol\nNSE,TCS\nX,TCS\n", "line 3, exchange"),
        (b"exchange,symbol\nNSE\n", "line 2, symbol"),
        (b"exchange,symbol\nNSE,TCS,1,2\n", "line 2, surplus"),
        (b"exchange,symbol,lastPrice\nNSE,TCS,1.001\n", "line 2, lastPrice"),
        (b"NSE,TCS\nNSE,TCS\n", "line 1"),
        (b"exchange,symbol\nNSE,\xff\xff\n", "line"),
        (b'exchange,symbol\nNSE,"TCS\n', "line"),
        (b"exchange,symbol\nNSE,T\x00S\n", "line"),
    ],
)
def test_an_invalid_line_of_stocks_refuses_the_file_and_changes_nothing(run_badly, tmp_path, content, place):
    path = tmp_path / "stocks.csv"
    path.write_bytes(content)
    assert place in run_badly("stocks", "import", str(path))
    with session():
        assert fetch_one("SELECT count(*) AS number FROM stock")["number"] == 0


def test_a_file_that_is_not_there_is_a_usage_error(run):
    assert run(args=["stocks", "import", "/nowhere.csv"]).exit_code == 2


def test_holidays_are_imported_from_a_file(run_well, run_badly, tmp_path):
    path = tmp_path / "holidays.csv"
    path.write_text("calendar,day,name\nNSE,2026-01-26,Republic Day\nNSE,2026-12-25,Christmas\n")
    assert run_well("holidays", "import", str(path)) == "2 holidays read\n"
    run_well("holidays", "import", str(path))
    with session():
        assert fetch_one("SELECT count(*) AS number FROM market_holiday")["number"] == 2
    path.write_text("calendar,day,name\nNSE,26.1.2026,Republic Day\n")
    assert "line 2, day" in run_badly("holidays", "import", str(path))


def test_pending_orders_are_swept(run_well, run, account, place):
    trader = account()
    for _ in range(3):
        place(trader)
    assert json.loads(run_well("orders", "sweep", "--limit", "2", "--json")) == {
        "claimed": 2,
        "executed": 2,
        "rejected": 0,
        "failed": 0,
        "busy": 0,
        "opened": 0,
        "cancelled": 0,
        "expired": 0,
        "remaining": 1,
    }
    assert "executed: 1" in run_well("orders", "sweep")
    assert run(args=["orders", "sweep", "--limit", "0"]).exit_code == 2


def test_the_books_are_verified(run_well, run, account, place):
    trader = account()
    place(trader)
    run_well("orders", "sweep")
    assert "right" in run_well("ledger", "verify")
    with session():
        execute("UPDATE account SET balance = balance + 1 WHERE id = %s", (trader.id,))
    result = run(args=["ledger", "verify"])
    assert result.exit_code == 1
    assert str(trader.id) in result.stdout
    result = run(args=["ledger", "verify", "--json"])
    assert result.exit_code == 1
    assert {violation["accountId"] for violation in json.loads(result.stdout)} == {str(trader.id)}


def test_the_schema_is_upgraded_and_its_status_shown(run_well):
    assert run_well("db", "upgrade") == ""
    rows = json.loads(run_well("db", "status", "--json"))
    assert rows
    assert all(row["appliedAt"] for row in rows)


def test_expired_events_and_keys_are_deleted(run_well, account, cleaner):
    holder = str(account().id)
    with cleaner.cursor() as cursor:
        cursor.execute("UPDATE event SET at = at - interval '8 days' WHERE account_id = %s", (holder,))
        cursor.execute(
            "INSERT INTO idempotency_key SELECT %s, 's', n::text, sha256('x'), '{}', now() - n * interval '1 hour'"
            " FROM unnest(ARRAY[0, 26, 27]) AS n",
            (holder,),
        )
    assert json.loads(run_well("db", "prune", "--json")) == {"events": 2, "keys": 2, "prices": 0, "candles": 0}
    assert run_well("db", "prune") == "events: 0\nkeys: 0\nprices: 0\ncandles: 0\n"


def test_without_a_database_a_command_names_the_setting(app, run_badly, settings, monkeypatch):
    monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, database_url=None))
    for command in (["accounts", "list"], ["db", "status"], ["ledger", "verify"], ["orders", "sweep"]):
        assert "DATABASE_URL" in run_badly(*command)


def test_an_unreachable_database_is_reported_in_one_line(run_badly, monkeypatch):
    def fail():
        raise DatabaseUnavailable("connection refused\nis the server running?")

    monkeypatch.setattr("trading.accounts.reading.session_of_all", fail)
    assert "connection refused" in run_badly("accounts", "list")


def test_a_missing_schema_is_reported_in_one_line(run_badly, monkeypatch):
    monkeypatch.setattr("trading.accounts.reading.fetch_all", lambda *_: fetch_one("SELECT * FROM no_such_table"))
    assert "db upgrade" in run_badly("accounts", "list")


LATIN1 = "ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
ROLE = "tradepost_test_poor"


def test_an_upgrade_of_a_database_in_another_encoding_names_the_remedy(run_badly, other_database):
    other_database(LATIN1)
    assert "createdb --encoding=UTF8" in run_badly("db", "upgrade")


def test_no_remedy_is_the_command_that_has_just_failed(run_badly, other_database):
    administer = other_database(role=ROLE)
    refused = [run_badly("db", "upgrade")]
    assert f"GRANT USAGE, CREATE ON SCHEMA public TO {ROLE}" in refused[0]
    administer(f"GRANT USAGE, CREATE ON SCHEMA public TO {ROLE}; CREATE TABLE account (number int)")
    refused.append(run_badly("db", "upgrade"))
    assert "a database of its own" in refused[1]
    assert not [line for line in refused if "db upgrade" in line]


def test_a_role_that_may_not_read_the_tables_is_reported(run_badly, other_database):
    administer = other_database(role=ROLE)
    administer(f"CREATE TABLE account ({', '.join(f'{name} int' for name in AccountRow.__annotations__)})")
    assert "the role that owns the tables" in run_badly("accounts", "list")


@pytest.fixture
def strict_server(tmp_path, other_database):
    """Yield a server that asks for a password, and disconnect the models from it at the end."""
    other_database()
    server = Postgres(tmp_path / "postgres", durable=False)
    server.initialise()
    rules = ["local all postgres,missing trust", "local all known scram-sha-256"]
    (server.data / "pg_hba.conf").write_text("\n".join(rules) + "\n")
    server.start()
    with contextlib.closing(psycopg2.connect(server.url())) as connection:
        connection.autocommit = True
        connection.cursor().execute("CREATE ROLE known LOGIN PASSWORD 'right'; CREATE ROLE stranger LOGIN")
    yield server
    server.stop()
    server.delete()


def test_a_refused_connection_is_reported_with_its_remedy(run_badly, strict_server):
    def refusal_of(user, name="postgres"):
        url = strict_server.url(name).replace("//postgres@", f"//{user}@")
        database.initialise(url, pool_size=1)
        return run_badly("accounts", "list")

    assert "createdb --encoding=UTF8" in refusal_of("postgres", "nowhere")
    assert 'role "missing" does not exist; create it' in refusal_of("missing")
    assert "correct the user or the password" in refusal_of("known:wrong")
    assert "needs a password" in refusal_of("known")
    assert "add an entry there" in refusal_of("stranger:x")


def test_the_work_of_a_day_is_skipped_repeated_and_listed(run_well, run_badly):
    assert (
        run_well("jobs", "skip", "2026-11-02", "square-off NORMAL")
        == "square-off NORMAL of 2026-11-02 counts as done\n"
    )
    assert run_well("jobs", "list").split()[:4] == ["2026-11-02", "square-off", "NORMAL", "skipped"]
    assert "is done already" in run_badly("jobs", "skip", "2026-11-02", "square-off NORMAL")
    (job,) = json.loads(run_well("jobs", "list", "--json"))
    assert (job["day"], job["name"], job["detail"]) == ("2026-11-02", "square-off NORMAL", {"skipped": True})
    assert "is due again" in run_well("jobs", "repeat", "2026-11-02", "square-off NORMAL")
    assert "not done" in run_well("jobs", "list")
    assert "is not done" in run_badly("jobs", "repeat", "2026-11-02", "square-off NORMAL")
    (job,) = json.loads(run_well("jobs", "list", "--since", "2026-11-02", "--json"))
    assert (job["finishedAt"], job["detail"]) == (None, {})
    assert json.loads(run_well("jobs", "list", "--since", "2026-11-03", "--json")) == []
    assert json.loads(run_well("jobs", "run", "--json")) == {"done": True}


def test_a_usage_error_exits_with_2(run):
    assert run(args=["accounts", "create"]).exit_code == 2
    assert run(args=["accounts", "nothing"]).exit_code == 2


def test_an_account_is_reset(run_well, run_badly, account):
    owner = str(account("5.00").id)
    reset = json.loads(run_well("accounts", "reset", owner, "--balance", "12.50", "--json"))
    assert (reset["tradingAccountId"], reset["balance"], reset["blockedMargin"]) == (owner, "12.50", "0.00")
    (action,) = rows("SELECT action, detail FROM admin_action")
    assert (action["action"], action["detail"]) == ("account.reset", {"account_id": owner, "balance": "12.50"})
    assert "balance" in run_badly("accounts", "reset", owner, "--balance", "-1")
    assert "does not exist" in run_badly("accounts", "reset", str(uuid4()), "--balance", "1")


def test_a_reset_asks_first_on_a_terminal_unless_it_is_told_yes(run, run_well, account, monkeypatch):
    owner = str(account("5.00").id)
    monkeypatch.setattr("api.commands.account_commands.is_typed", lambda: True)
    refused = run(args=["accounts", "reset", owner, "--balance", "12.50"], input="n\n")
    assert (refused.exit_code, f"End the live orders of account {owner}" in refused.output) == (1, True)
    assert rows("SELECT balance::text FROM account") == [{"balance": "5.00"}]
    assert rows("SELECT 1 FROM admin_action") == []
    agreed = run(args=["accounts", "reset", owner, "--balance", "12.50"], input="y\n")
    assert agreed.exit_code == 0, agreed.output
    assert rows("SELECT balance::text FROM account") == [{"balance": "12.50"}]
    run_well("accounts", "reset", owner, "--balance", "7.00", "--yes")
    assert rows("SELECT balance::text FROM account") == [{"balance": "7.00"}]
