"""The commands that list and show, and those on orders, accounts and holidays that people and programs use."""

import json
from datetime import date
from uuid import uuid4

import pytest

from tests.support.trading import execute, rows
from tests.support.trading import place as place_order
from trading.accounts.tokens import create_token
from trading.market.calendars import holidays, import_holidays
from trading.market.stocks import import_stocks


@pytest.fixture
def as_json(run_well):
    """Return a function that runs a command with --json, and returns its document."""
    return lambda *arguments: json.loads(run_well(*arguments, "--json"))


def test_orders_are_listed_newest_first_by_account_status_and_symbol(as_json, account):
    first, second = account(), account()
    a, b = place_order(first.id, "BUY", 1, "10.00"), place_order(first.id, "BUY", 2, "10.00", symbol="B")
    c = place_order(second.id, "BUY", 3, "10.00")
    execute(a)

    def ids(*options):
        return [one["orderId"] for one in as_json("orders", "list", *options)]

    assert ids() == [str(one["id"]) for one in (c, b, a)]
    assert ids("--account", str(first.id)) == [str(b["id"]), str(a["id"])]
    assert ids("--status", "executed") == [str(a["id"])]
    assert ids("--status", "EXECUTED", "--status", "PENDING", "--symbol", "b") == [str(b["id"])]
    assert ids("--limit", "1") == [str(c["id"])]


def test_an_order_is_shown_with_its_history_and_its_ledger(as_json, run_well, run_badly, account):
    order = place_order(account().id, "BUY", 10, "10.00")
    execute(order)
    shown = as_json("orders", "show", str(order["id"]))
    assert (shown["status"], [one["type"] for one in shown["history"]]) == (
        "EXECUTED",
        ["order.pending", "order.executed"],
    )
    assert [entry["kind"] for entry in shown["transactions"]] == ["MARGIN_BLOCK", "CHARGES"]
    text = run_well("orders", "show", str(order["id"]))
    assert "status: EXECUTED" in text
    assert "MARGIN_BLOCK" in text
    assert "`tradepost orders list`" in run_badly("orders", "show", str(uuid4()))
    assert "`tradepost orders list`" in run_badly("orders", "show", "x")


def test_orders_are_cancelled_and_the_audit_says_so(as_json, run, account):
    owner = account().id
    a, b = place_order(owner, "BUY", 1, "10.00"), place_order(owner, "BUY", 2, "10.00")
    cancelled = as_json("orders", "cancel", str(a["id"]), str(b["id"]))
    assert [(one["orderId"], one["status"]) for one in cancelled] == [
        (str(a["id"]), "CANCELLED"),
        (str(b["id"]), "CANCELLED"),
    ]
    c = place_order(owner, "BUY", 2, "10.00")
    result = run(args=["orders", "cancel", str(a["id"]), str(c["id"]), str(uuid4())])
    assert (result.exit_code, str(c["id"]) in result.stdout) == (1, True)
    assert f"Not cancelled: {a['id']}: The order is already final: it is CANCELLED.; " in result.stderr
    assert "does not exist" in result.stderr
    audited = rows("SELECT action, address, detail FROM admin_action WHERE action = 'order.cancel' ORDER BY id LIMIT 1")
    assert audited == [
        {
            "action": "order.cancel",
            "address": "command line",
            "detail": {"account_id": str(owner), "order_id": str(a["id"])},
        }
    ]


def test_all_live_orders_of_an_account_are_cancelled(as_json, run, run_badly, account):
    first, second = account(), account()
    a, b = place_order(first.id, "BUY", 1, "10.00"), place_order(first.id, "BUY", 2, "10.00")
    place_order(second.id, "BUY", 3, "10.00")
    cancelled = as_json("orders", "cancel", "--all-of", str(first.id))
    assert {one["orderId"] for one in cancelled} == {str(a["id"]), str(b["id"])}
    assert [one["status"] for one in as_json("orders", "list")] == ["PENDING", "CANCELLED", "CANCELLED"]
    assert as_json("orders", "cancel", "--all-of", str(first.id)) == []
    assert "`tradepost accounts list`" in run_badly("orders", "cancel", "--all-of", str(uuid4()))
    for arguments in ((), (str(a["id"]), "--all-of", str(first.id))):
        assert run(args=["orders", "cancel", *arguments]).exit_code == 2


def test_tokens_are_listed_without_their_secrets(as_json, run_well, run_badly, account):
    owner = account()
    created = as_json("tokens", "create", "--account", str(owner.id), "--scopes", "read")
    feed, _ = create_token(["feed"])
    listed = as_json("tokens", "list", "--account", str(owner.id))
    assert [(one["tokenId"], one["scopes"], one["lastUsedOn"]) for one in listed[:1]] == [
        (created["tokenId"], ["read"], None)
    ]
    assert created["token"] not in run_well("tokens", "list", "--account", str(owner.id))
    assert [one["tokenId"] for one in as_json("tokens", "list")] == [str(feed)]
    assert str(feed) in run_well("tokens", "revoke", str(feed))
    assert as_json("tokens", "list") == []
    (ended,) = as_json("tokens", "list", "--all")
    assert ended["revokedAt"]
    assert "`tradepost accounts list`" in run_badly("tokens", "list", "--account", str(uuid4()))


def test_the_token_of_a_new_account_can_be_revoked(as_json, run_well, client):
    created = as_json("accounts", "create", "--name", "N")
    run_well("tokens", "revoke", created["tokenId"])
    headers = {"Authorization": f"Bearer {created['token']}"}
    assert client.get("/api/trading/account", headers=headers).status_code == 401


def test_an_account_is_shown_renamed_suspended_resumed_and_drawn_from(as_json, run_badly, account):
    owner = account("100.00")
    name = str(owner.id)
    assert as_json("accounts", "show", name)["unrealizedPnl"] == "0.00"
    assert as_json("accounts", "rename", name, "Zoë")["name"] == "Zoë"
    assert [one["name"] for one in as_json("accounts", "list", "--search", "zo")] == ["Zoë"]
    assert as_json("accounts", "list", "--search", "nobody") == []
    assert as_json("accounts", "suspend", name)["status"] == "SUSPENDED"
    assert as_json("accounts", "resume", name)["status"] == "ACTIVE"
    assert as_json("accounts", "withdraw", name, "40.00")["balanceAfter"] == "60.00"
    assert "available=60.00" in run_badly("accounts", "withdraw", name, "60.01")
    assert "name" in run_badly("accounts", "rename", name, " ")
    for arguments in (("show",), ("suspend",), ("rename", "N"), ("withdraw", "1"), ("reset", "--balance", "1")):
        command, *rest = arguments
        assert "`tradepost accounts list`" in run_badly("accounts", command, str(uuid4()), *rest)


def test_an_account_that_holds_shares_shows_its_profit(as_json, run_well, account):
    owner = account()
    execute(place_order(owner.id, "BUY", 10, "10.00"))
    run_well("quotes", "set", "NSE", "RELIANCE", "11.00")
    assert as_json("accounts", "show", str(owner.id))["unrealizedPnl"] == "10.00"


def test_stocks_are_listed_and_searched(as_json, run_well):
    names = {("NSE", "TCS"): "Tata Consultancy", ("NSE", "INFY"): "Infosys", ("BSE", "TCS"): "Tata Consultancy"}
    import_stocks(names, names)

    def stocks(*options):
        return [(one["exchange"], one["symbol"]) for one in as_json("stocks", "list", *options)]

    assert stocks() == [("NSE", "INFY"), ("BSE", "TCS"), ("NSE", "TCS")]
    assert stocks("--limit", "1") == [("NSE", "INFY")]
    assert stocks("--search", "tata", "--exchange", "BSE") == [("BSE", "TCS")]
    assert "Infosys" in run_well("stocks", "list")


def test_a_quote_that_is_set_is_printed(as_json, run_well):
    assert run_well("quotes", "set", "NSE", "reliance", "2500.00") == "NSE:RELIANCE 2500.00\n"
    line = run_well("quotes", "set", "NSE", "RELIANCE", "2500", "--bid", "2499.95", "--ask", "2500.05")
    assert line == "NSE:RELIANCE 2500.00, bid 2499.95, ask 2500.05\n"
    quote = as_json("quotes", "set", "NSE", "RELIANCE", "2501.00")
    assert (quote["lastPrice"], quote["bidPrice"], quote["matched"]) == ("2501.00", None, 0)


@pytest.mark.parametrize("keys", [("NSE", "TCS", "BSE", "INFY"), ("NSE:TCS", "bse:infy"), ("nse", "tcs", "BSE:INFY")])
def test_quotes_are_shown_however_stocks_are_written(as_json, run_well, keys):
    run_well("quotes", "set", "NSE", "TCS", "10.00")
    run_well("quotes", "set", "BSE", "INFY", "20.00")
    shown = as_json("quotes", "show", *keys)
    assert [(one["symbol"], one["lastPrice"]) for one in shown] == [("TCS", "10.00"), ("INFY", "20.00")]


def test_the_quote_of_an_unknown_stock_names_the_search(run, run_well, run_badly):
    run_well("quotes", "set", "NSE", "TCS", "10.00")
    result = run(args=["quotes", "show", "NSE", "TCS", "NSE", "TSC"])
    assert result.exit_code == 1
    assert "10.00" in result.stdout
    assert result.stderr.startswith("tradepost: Unknown stocks: NSE:TSC. `tradepost stocks list")
    assert "such as NSE RELIANCE" in run_badly("quotes", "show", "TCS")


def test_holidays_are_listed_and_removed(as_json, run_well, run_badly):
    import_holidays([("NSE", date(2026, 1, 26), "Republic Day"), ("NSE", date(2026, 12, 25), "Christmas")])
    listed = as_json("holidays", "list", "--from", "2026-12-01")
    assert listed == [
        {"calendar": "NSE", "day": "2026-12-25", "weekday": "Friday", "kind": "TRADING", "name": "Christmas"}
    ]
    assert "Republic Day" in run_well("holidays", "list")
    assert run_well("holidays", "remove", "2026-12-25") == "2026-12-25 (Christmas) is no holiday of NSE any more\n"
    assert [holiday.day for holiday in holidays("NSE")] == [date(2026, 1, 26)]
    assert "`tradepost holidays list`" in run_badly("holidays", "remove", "2026-12-25")
    (action,) = rows("SELECT detail FROM admin_action WHERE action = 'holiday.remove' ORDER BY id LIMIT 1")
    assert action["detail"] == {"calendar": "NSE", "day": "2026-12-25"}


def test_what_a_command_has_done_is_json_for_programs(as_json, tmp_path):
    path = tmp_path / "stocks.csv"
    path.write_text("exchange,symbol,lastPrice\nNSE,TCS,10.00\n")
    counts = {"read": 1, "stocks": 1, "new": 1, "priced": 1, "otherKinds": 0, "refused": 0}
    assert as_json("stocks", "import", str(path)) == {"format": "list of stocks", **counts}
    path.write_text("calendar,day,name\nNSE,2026-12-25,Christmas\n")
    assert as_json("holidays", "import", str(path)) == {"read": 1, "sessionsMade": 0}
    made = as_json("sessions", "make", "--from", "2026-11-02", "--to", "2026-11-02")
    assert made == {"sessions": 2, "from": "2026-11-02", "to": "2026-11-02"}
    path.write_text("calendar,day,opensAt,closesAt\nNSE,2026-11-08,18:00,19:00\n")
    assert as_json("sessions", "import", str(path)) == {"sessions": 2}
    assert as_json("jobs", "skip", "2026-11-02", "settlement") == {"day": "2026-11-02", "name": "settlement"}
    assert as_json("jobs", "repeat", "2026-11-02", "settlement") == {"day": "2026-11-02", "name": "settlement"}
    assert as_json("db", "upgrade") == {"applied": [], "sessionsMade": 0}
    created = as_json("tokens", "create", "--scopes", "feed")
    assert as_json("tokens", "revoke", created["tokenId"]) == {"tokenId": created["tokenId"]}


def test_a_day_in_another_format_names_the_right_one(run):
    result = run(args=["sessions", "show", "--from", "26.11.2026"])
    assert result.exit_code == 2
    assert "must be a day like 2026-01-31" in result.stderr


def test_the_status_of_the_schema_ends_with_a_summary_that_explains_its_gaps(run_well):
    *migrations, summary = run_well("db", "status").splitlines()
    assert summary.startswith(f"all {len(migrations)} are applied (no migration has the number 0005 or 0007")
