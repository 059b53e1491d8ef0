"""A replay: what becomes of orders, row by row, and the same bytes in every run."""

from trading.market.candle_recording import recorder

DAY = "2026-11-06T"


def at(time, *cells):
    return ",".join([f"{DAY}{time}+05:30", *cells])


def quote(time, bid, ask, last, symbol="ABC"):
    return at(time, "NSE", symbol, last, bid, ask)


def place(time, account, name, side, quantity, *, price="", trigger="", kind="LIMIT", product="INTRADAY", rest=",,"):
    return at(time, "place", account, name, "NSE", "ABC", side, product, kind, str(quantity), price, trigger + rest)


def by_name(results):
    return {(row["account"], row["clientOrderId"]): row for row in results["orders"]}


def brief(row):
    return row["status"], row["averagePrice"], row["fillRule"] or row["rejectionReason"]


def test_orders_meet_the_quotes_of_their_time(replay):
    """Examples 2 and 4 of the market's specification."""
    results = replay(
        [
            quote("09:15:00", "100.90", "101.00", "101.00"),
            quote("09:16:00", "96.90", "97.00", "97.00"),
            quote("09:20:00", "106.50", "107.00", "105.50"),
            quote("09:21:00", "104.00", "104.10", "104.00"),
        ],
        [
            place("09:15:30", "alice", "rests", "BUY", 100, price="100.00"),
            place("09:16:00", "alice", "looks", "BUY", 100, price="100.00"),
            place("09:18:00", "bob", "stop", "BUY", 10, price="106.00", trigger="105.00", kind="STOP_LIMIT"),
        ],
        "--balance", "100000.00",
    )  # fmt: skip
    orders = by_name(results)
    assert brief(orders["alice", "rests"]) == ("EXECUTED", "100.00", "book")
    assert brief(orders["alice", "looks"]) == ("EXECUTED", "97.00", "first_look"), "quotes come before orders"
    assert brief(orders["bob", "stop"]) == ("EXECUTED", "106.00", "book")
    assert orders["alice", "rests"]["endedAt"].startswith("2026-11-06T03:46:00.0000")
    assert [row["clientOrderId"] for row in results["trades"]] == ["rests", "looks", "stop"]
    alice, bob = results["accounts"]
    assert (alice["blockedMargin"], bob["blockedMargin"]) == ("3940.00", "212.00")
    assert results["ledger"][-1]["balanceAfter"] == bob["balance"]


def test_an_order_of_the_day_expires_after_the_last_row(replay):
    results = replay(
        [quote("09:15:00", "100.90", "101.00", "101.00")],
        [place("09:15:30", "alice", "day", "BUY", 1, price="90.00", product="DELIVERY")],
        "--calendar", "NSE",
    )  # fmt: skip
    (order,) = results["orders"]
    assert (order["status"], order["endedAt"][:23]) == ("EXPIRED", "2026-11-06T10:00:00.000")
    assert results["accounts"][0]["availableMargin"] == "1000000.00"


def test_without_a_calendar_the_day_ends_at_midnight(replay):
    results = replay(
        [quote("22:00:00", "100.90", "101.00", "101.00")],
        [
            place("22:15:30", "alice", "day", "BUY", 1, price="90.00"),
            place("22:15:31", "alice", "gtc", "BUY", 1, price="90.00", rest=",GTC,"),
        ],
    )
    day, gtc = results["orders"]
    assert (day["status"], day["endedAt"][:23]) == ("EXPIRED", "2026-11-06T18:30:00.000")
    assert (gtc["status"], gtc["endedAt"]) == ("OPEN", "")


def test_orders_are_modified_cancelled_and_closed(replay):
    results = replay(
        [quote("09:15:00", "100.90", "101.00", "101.00"), quote("09:20:00", "102.00", "102.10", "102.00")],
        [
            place("09:15:30", "alice", "one", "BUY", 10, price="90.00"),
            place("09:15:31", "alice", "two", "BUY", 10, price="90.00"),
            at("09:15:40", "modify", "alice", "one", "", "", "", "", "", "7", "101.50", "", "", ""),
            at("09:15:41", "cancel", "alice", "two", "", "", "", "", "", "", "", "", "", ""),
            at("09:20:30", "close", "alice", "out", "NSE", "ABC", "", "", "", "", "", "", "", ""),
        ],
    )
    orders = by_name(results)
    assert brief(orders["alice", "one"]) == ("EXECUTED", "101.00", "first_look")
    assert brief(orders["alice", "two"]) == ("CANCELLED", "", "")
    assert brief(orders["alice", "out"]) == ("EXECUTED", "102.00", "market")
    assert orders["alice", "out"]["filledQuantity"] == "7"
    assert results["positions"][0]["quantity"] == "0"
    assert results["accounts"][0]["realizedPnl"] == "7.00"


def test_a_refused_placement_is_a_rejected_order(replay):
    results = replay(
        [quote("09:15:00", "100.90", "101.00", "101.00")],
        [
            place("09:15:30", "alice", "dear", "BUY", 1000, price="100.00"),
            place("09:15:31", "alice", "bad", "BUY", 1000),
            place("09:15:32", "alice", "sold", "SELL", 10, price="100.00", product="DELIVERY"),
            at("09:15:33", "close", "alice", "flat", "NSE", "ABC", "", "", "", "", "", "", "", ""),
            at("09:15:34", "cancel", "alice", "none", "", "", "", "", "", "", "", "", "", ""),
        ],
        "--balance", "1000.00",
    )  # fmt: skip
    assert [(row["clientOrderId"], row["status"], row["rejectionReason"]) for row in results["orders"]] == [
        ("dear", "REJECTED", "insufficient_margin"),
        ("bad", "REJECTED", "validation_failed"),
        ("sold", "REJECTED", "insufficient_holdings"),
        ("flat", "REJECTED", "not_found"),
    ]
    assert "line 6: cancel of none of alice: not_found" in replay.errors


def test_two_runs_give_the_same_bytes(replay):
    quotes = [quote(f"10:{minute:02}:00", "99.95", "100.05", f"{100 + minute % 7}.00") for minute in range(60)]
    orders = [
        place(f"10:{minute:02}:00", name, f"{name}{minute}", side, 10, price=f"{99 + minute % 5}.00")
        for minute in range(0, 50, 3)
        for name, side in (("alice", "BUY"), ("bob", "SELL"))
    ]
    found = []
    for out in ("first", "second"):
        replay(quotes, orders, "--calendar", "NSE", out=out)
        found.append({path.name: path.read_bytes() for path in replay.folder.iterdir()})
    assert found[0] == found[1]
    assert set(found[0]) >= {"orders.csv", "trades.csv", "ledger.csv", "positions.csv", "accounts.csv", "equity.svg"}
    assert found[0]["trades.csv"].count(b"\n") > 10


def test_a_replay_records_no_candles_whatever_the_settings_say(replay, monkeypatch):
    monkeypatch.setenv("RECORD_CANDLES", "on")
    gathered = []
    monkeypatch.setattr(recorder, "add", gathered.extend)
    prices = [quote("10:00:00", "", "", "100.00"), quote("10:00:01", "97.90", "98.00", "98.00")]
    orders = [place("10:00:00", "alice", "low", "BUY", 10, price="99.00")]
    assert replay(prices, orders)["orders"][0]["status"] == "EXECUTED"
    assert gathered == []


def test_an_immediate_account_fills_at_its_own_price(replay):
    results = replay(
        [quote("09:15:00", "100.90", "101.00", "101.00")],
        [place("09:15:30", "alice", "one", "BUY", 10, price="90.00")],
        "--fill-model", "IMMEDIATE",
    )  # fmt: skip
    assert brief(results["orders"][0]) == ("EXECUTED", "90.00", "")


def test_the_curve_follows_the_last_price(replay):
    results = replay(
        [
            quote("09:15:00", "100.00", "100.00", "100.00"),
            quote("09:16:10", "110.00", "110.00", "110.00"),
            quote("09:17:10", "110.00", "110.00", "110.00"),
        ],
        [place("09:15:30", "alice", "one", "BUY", 10, price="100.00")],
    )
    worth = {row["at"][11:16]: row["equity"] for row in results["equity"]}
    paid = float(results["orders"][0]["charges"])
    assert float(worth["03:46"]) == 1_000_000 - paid
    assert float(worth["03:47"]) == 1_000_100 - paid
    assert "<polyline" in (replay.folder / "equity.svg").read_text()


def test_quotes_out_of_order_are_refused_with_their_line(replay):
    replay([quote("09:16:00", "1", "1", "1"), quote("09:15:00", "1", "1", "1")], [], exit_code=1)
    assert replay.errors == "tradepost: line 3, at: Is before the time of the line above it.\n"
    replay([], [], header="at,exchange,symbol,lastPrice,colour", exit_code=1)
    assert "line 1, colour: Is unknown." in replay.errors


def test_an_unknown_action_is_refused_with_its_line(replay):
    replay([quote("09:16:00", "1", "1", "1")], [at("09:16:00", "buy", "alice")], exit_code=1)
    assert replay.errors == "tradepost: line 2, action: Must be one of: place, cancel, modify, close.\n"
