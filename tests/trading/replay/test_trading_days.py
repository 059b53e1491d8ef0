"""Whole days by the virtual clock: the examples 10 and 11 of the market's specification, and after-market orders."""

from tests.support.processes import ROOT
from trading.day import daily
from trading.replay.driver import DAILY_WORKS

HOLIDAYS = ("--holidays", str(ROOT / "data" / "nse-holidays-2026.csv"))


def quote(at, bid, ask, last):
    return f"{at}+05:30,NSE,ABC,{last},{bid},{ask}"


def place(at, name, side, product, kind, quantity, price="", rest=",,"):
    return f"{at}+05:30,place,alice,{name},NSE,ABC,{side},{product},{kind},{quantity},{price},{rest}"


def entries(results, name):
    """Return the ledger entries of an order as (kind, amount)."""
    return [(row["kind"], row["amount"]) for row in results["ledger"] if row["clientOrderId"] == name]


def test_a_position_of_a_stock_with_a_closing_auction_is_squared_off(replay, tmp_path):
    """Example 10."""
    stocks = tmp_path / "stocks.csv"
    stocks.write_text("exchange,symbol,sessionClass\nNSE,ABC,AUCTION\n")
    results = replay(
        [
            quote("2026-11-06T09:15:00", "99.95", "100.00", "100.00"),
            quote("2026-11-06T15:11:30", "101.00", "101.10", "101.05"),
        ],
        [
            place("2026-11-06T09:15:10", "long", "BUY", "INTRADAY", "MARKET", 100),
            place("2026-11-06T10:00:00", "target", "SELL", "INTRADAY", "LIMIT", 100, "110.00"),
            place("2026-11-06T10:00:01", "more", "BUY", "INTRADAY", "LIMIT", 50, "95.00"),
            place("2026-11-06T15:12:05", "late", "BUY", "INTRADAY", "LIMIT", 1, "95.00"),
        ],
        "--calendar", "NSE", "--balance", "100000.00", "--stocks", str(stocks),
    )  # fmt: skip
    orders = {row["clientOrderId"]: row for row in results["orders"]}
    assert (orders["target"]["status"], orders["more"]["status"]) == ("CANCELLED", "CANCELLED")
    assert entries(results, "target")[1:] == [("CHARGES_REFUND", "7.06")]
    assert entries(results, "more")[2:] == [("MARGIN_RELEASE", "950.00"), ("CHARGES_REFUND", "2.00")]
    assert orders["late"]["rejectionReason"] == "square_off_passed"
    (closing,) = [name for name in orders if name.startswith("squareoff-2026-11-06-")]
    assert orders[closing]["averagePrice"] == "101.00"
    assert orders[closing]["charges"] == "6.48"
    assert orders[closing]["placedAt"].startswith("2026-11-06T09:42:00.0000")
    assert entries(results, closing)[1:] == [("PROFIT", "100.00"), ("MARGIN_RELEASE", "2000.00")]
    assert results["accounts"][0]["blockedMargin"] == "0.00"


def test_deliveries_settle_over_a_holiday(replay):
    """Example 11; results are as of the day of the last line."""
    week = [
        ("2026-11-06", "first", "BUY", 10, "1000.00", ("0", "0", "0")),
        ("2026-11-09", "second", "BUY", 10, "1010.00", ("10", "0", "10")),
        ("2026-11-11", "sale", "SELL", 15, "1050.00", ("5", "0", "5")),
        ("2026-11-12", None, "", 0, "1050.00", ("5", "5", "0")),
    ]
    quotes, orders = [], []
    for day, name, side, quantity, price, (held, settled, unsettled) in week:
        quotes.append(quote(f"{day}T10:00:00", price, price, price))
        if name:
            orders.append(place(f"{day}T10:00:05", name, side, "DELIVERY", "MARKET", quantity))
        results = replay(quotes, orders, "--calendar", "NSE", "--balance", "100000.00", *HOLIDAYS)
        (holding,) = results["holdings"] or [{"quantity": "0", "settledQuantity": "0", "t1Quantity": "0"}]
        found = (holding["quantity"], holding["settledQuantity"], holding["t1Quantity"])
        assert found == (held, settled, unsettled)
    charged = {row["clientOrderId"]: row["charges"] for row in results["orders"]}
    assert charged == {"first": "11.88", "second": "12.00", "sale": "16.34"}
    assert entries(results, "sale") == [("CHARGES", "16.34"), ("PROFIT", "675.00"), ("MARGIN_RELEASE", "15075.00")]


def test_after_market_orders_are_released_in_their_order_at_the_open(replay):
    results = replay(
        [
            quote("2026-11-06T15:29:00", "100.00", "100.00", "100.00"),
            quote("2026-11-09T09:15:03", "99.00", "99.10", "99.00"),
        ],
        [
            place("2026-11-06T16:00:00", "second", "BUY", "DELIVERY", "LIMIT", 1, "100.00", ",,true"),
            place("2026-11-06T15:59:00", "first", "BUY", "INTRADAY", "MARKET", 1, "", ",,true"),
            place("2026-11-06T16:01:00", "refused", "BUY", "DELIVERY", "MARKET", 1),
            "2026-11-07T12:00:00+05:30,cancel,alice,third,,,,,,,,,,",
            place("2026-11-06T16:02:00", "third", "BUY", "DELIVERY", "LIMIT", 1, "100.00", ",,true"),
        ],
        "--calendar", "NSE",
    )  # fmt: skip
    ends = [(row["clientOrderId"], row["status"], row["averagePrice"], row["fillRule"]) for row in results["orders"]]
    assert ends[:4] == [
        ("first", "EXECUTED", "99.10", "market"),
        ("second", "EXECUTED", "99.10", "first_look"),
        ("refused", "REJECTED", "", ""),
        ("third", "CANCELLED", "", ""),
    ]
    assert [row["clientOrderId"] for row in results["trades"]][:2] == ["first", "second"]
    assert results["trades"][0]["at"].startswith("2026-11-09T03:45:03.0000")


def test_a_market_without_a_calendar_is_squared_off_at_the_time_of_the_settings(replay, monkeypatch):
    monkeypatch.setenv("SQUARE_OFF_TIME", "20:00")
    monkeypatch.setenv("SQUARE_OFF_FEE", "50.00")
    results = replay(
        [quote("2026-11-06T19:00:00", "100.00", "100.00", "100.00")],
        [place("2026-11-06T19:00:10", "long", "BUY", "INTRADAY", "MARKET", 10)],
    )
    _, closing = results["orders"]
    assert (closing["status"], closing["averagePrice"], closing["fillRule"]) == ("EXECUTED", "100.00", "close_price")
    assert closing["placedAt"].startswith("2026-11-06T14:30:00.0000")
    assert float(closing["charges"]) > 50


def test_a_replay_does_all_of_the_daily_work():
    assert set(DAILY_WORKS) == set(daily.WORKS.values())
