"""Placing orders of an account that trades on quotes: the terms, the time of expiry, the money and the refusals."""

from datetime import datetime, time, timedelta
from decimal import Decimal

import pytest

from tests.support.sessions import close_market, market_clock_at
from tests.support.trading import account_now, counts, hold, ledger_of, money, one, order_now, rows, run
from tests.trading.execution.market import let_quote_age, quote
from tests.trading.orders.quotes_account import asked, know, place, trade_on_quotes
from trading.accounts.administration import change_account, set_status
from trading.market.calendars import make_sessions
from trading.orders.placement import place_order
from trading.orders.placement_types import DEFAULT_FILLS, FillSettings
from trading.rules import errors
from trading.rules.sessions import INDIAN_TIME
from trading.upkeep import verify

AFTER_SQUARE_OFF = FillSettings(square_off_time=time())  # at midnight: it has passed all day
STOP_BUY = {"order_type": "STOP_LIMIT", "trigger_price": "105.00", "price": "106.00"}


@pytest.fixture(autouse=True)
def books_are_right(clean):
    yield
    assert verify.verify() == []


@pytest.fixture
def trader(account):
    """Return the id of an account with 100,000.00 that trades on quotes; the stock has a quote."""
    trader = trade_on_quotes(account("100000.00").id)
    quote("99.95", "100.00", "99.98")
    return trader


def test_an_order_keeps_its_terms_and_a_worker_is_due(trader):
    order = place(trader, "BUY", 10, **STOP_BUY, validity="TTL", validity_minutes=5, tag="scalper 1")
    assert order == order_now(order)
    assert (order["status"], order["fill_model"], order["limit_fills"]) == ("PENDING", "QUOTES", "book")
    assert (order["order_type"], order["price"], order["trigger_price"]) == ("STOP_LIMIT", 106, 105)
    assert (order["validity"], order["validity_minutes"], order["after_market"]) == ("TTL", 5, False)
    assert order["tag"] == "scalper 1"
    assert (order["due_at"], order["waiting_for"], order["watch_trigger"]) == (order["placed_at"], None, None)


def test_an_order_keeps_the_settings_of_its_placement(trader):
    fills = FillSettings(limit_fills="touch")
    order = place_order(trader, asked("BUY", 10, price="90.00"), calendar=None, fills=fills).order
    change_account(trader, {"fill_model": "IMMEDIATE"})
    assert [order_now(order)[name] for name in ("fill_model", "limit_fills")] == ["QUOTES", "touch"]
    assert place(trader, "BUY", 10, price="90.00")["fill_model"] == "IMMEDIATE"


@pytest.mark.parametrize("terms", [STOP_BUY, {"price": "90.00"}], ids=["in steps", "at once"])
@pytest.mark.parametrize("validity", ["DAY", "TTL", "GTC", "IOC"])
def test_an_order_expires_as_its_validity_says(trader, terms, validity):
    order = place(trader, "BUY", 10, **terms, validity=validity, validity_minutes=7 if validity == "TTL" else None)
    midnight = (order["placed_at"].astimezone(INDIAN_TIME) + timedelta(days=1)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    ends = {"DAY": midnight, "TTL": order["placed_at"] + timedelta(minutes=7), "GTC": None, "IOC": None}
    assert order["expires_at"] == ends[validity]


def test_an_immediate_order_does_not_expire(account):
    assert place(account().id, "BUY", 10, price="90.00")["expires_at"] is None


def test_with_a_calendar_a_day_order_expires_at_the_close(trader):
    noon = datetime.now(INDIAN_TIME).replace(hour=12, minute=0, second=0, microsecond=0)
    noon += timedelta(days=(7 - noon.weekday()) % 7)  # a Monday
    make_sessions("NSE", noon.date(), noon.date())
    with market_clock_at(noon):
        order = place_order(trader, asked("BUY", 10, price="90.00"), calendar="NSE").order
    assert order["expires_at"] == noon.replace(hour=15, minute=30)


@pytest.mark.parametrize(
    ("side", "order_type", "terms", "assumed"),
    [
        ("BUY", "LIMIT", {"price": "105.00"}, "105.00"),
        ("SELL", "LIMIT", {"price": "90.00"}, "99.95"),  # it may fill at the bid, and then needs more
        ("SELL", "LIMIT", {"price": "110.00"}, "110.00"),
        ("BUY", "MARKET", {}, "100.00"),
        ("SELL", "MARKET", {}, "99.95"),
        ("BUY", "MARKET", {"market_protection": "5.00"}, "104.97"),
        ("BUY", "STOP_LIMIT", STOP_BUY, "106.00"),
        ("SELL", "STOP_LIMIT", {"trigger_price": "95.00", "price": "94.00"}, "95.00"),
        ("BUY", "STOP_MARKET", {"trigger_price": "105.00"}, "105.00"),
        ("SELL", "STOP_MARKET", {"trigger_price": "95.00"}, "95.00"),
    ],
)
def test_margin_is_reserved_at_the_price_that_the_order_may_cost(trader, side, order_type, terms, assumed):
    terms = {name: value for name, value in terms.items() if name != "order_type"}
    order = place(trader, side, 100, order_type, **terms)
    assert order["blocked_margin"] == Decimal(assumed) * 20
    assert ledger_of(order) == [("MARGIN_BLOCK", order["blocked_margin"]), ("CHARGES", order["charges"])]


def test_the_first_worked_example_blocks_its_limit(trader):
    order = place(trader, "BUY", 100, price="105.00")
    assert (order["blocked_margin"], order["charges"]) == (money("2100.00"), money("4.43"))


def test_a_market_order_without_a_fresh_quote_is_accepted_at_the_last_price(trader):
    let_quote_age()
    assert place(trader, "BUY", 10, "MARKET")["status"] == "PENDING"


def test_the_promise_of_a_resting_order_counts(trader):
    hold(trader, "BUY", 10, "101.00")
    first = place(trader, "SELL", 6, price="110.00")
    run("UPDATE trading_order SET status = 'OPEN', watch_price = 110, due_at = NULL WHERE id = %s", first["id"])
    second = place(trader, "SELL", 10, price="110.00")
    assert (first["closing_quantity"], second["closing_quantity"]) == (6, 4)


def test_an_unknown_stock_is_created_only_for_an_accepted_order(trader):
    before = counts()
    with pytest.raises(errors.InsufficientMargin):
        place(trader, "BUY", 1_000_000, price="100.00", symbol="NEW")
    with pytest.raises(errors.NoPrice):
        place(trader, "BUY", 1, "MARKET", symbol="NEW")
    assert counts() == before
    order = place(trader, "BUY", 1, price="100.00", symbol="NEW")
    assert one("SELECT symbol FROM stock WHERE id = %s", order["stock_id"]) == "NEW"


def test_an_inactive_stock_is_made_active_unless_another_has_locked_it(trader, connect):
    run("UPDATE stock SET is_active = false")
    with connect() as other, other.cursor() as cursor:
        cursor.execute("SELECT FROM stock FOR NO KEY UPDATE")
        place(trader, "BUY", 10, price="90.00")  # it does not wait for the stock
        other.rollback()
    place(trader, "BUY", 10, price="90.00")
    assert one("SELECT is_active FROM stock")


TICK = {"tick_size": "0.05"}
REFUSED = [
    (errors.IntradayNotAllowed, {"allows_intraday": False}, ("BUY", 10, "LIMIT"), {"price": "100.00"}),
    (errors.QuantityOffLot, {"lot_size": 25}, ("BUY", 10, "LIMIT"), {"price": "100.00"}),
    (errors.PriceOffTick, TICK, ("BUY", 10, "LIMIT"), {"price": "100.02"}),
    (errors.PriceOffTick, TICK, ("BUY", 10, "STOP_MARKET"), {"trigger_price": "105.02"}),
    (errors.TriggerBeyondPrice, {}, ("BUY", 10, "STOP_LIMIT"), {"trigger_price": "106.00", "price": "105.00"}),
    (errors.TriggerBeyondPrice, {}, ("SELL", 10, "STOP_LIMIT"), {"trigger_price": "94.00", "price": "95.00"}),
    (errors.TriggerOnWrongSide, {}, ("BUY", 10, "STOP_MARKET"), {"trigger_price": "99.98"}),
    (errors.TriggerOnWrongSide, {}, ("SELL", 10, "STOP_MARKET"), {"trigger_price": "99.98"}),
    (errors.PriceOutsideBand, {"upper_circuit": "110.00"}, ("BUY", 10, "LIMIT"), {"price": "110.01"}),
    (errors.PriceOutsideBand, {"lower_circuit": "90.00"}, ("BUY", 10, "LIMIT"), {"price": "89.99"}),
    (
        errors.NoPrice,
        {"last_price": None, "last_price_at": None},
        ("BUY", 10, "STOP_MARKET"),
        {"trigger_price": "105.00"},
    ),
    (errors.InsufficientMargin, {}, ("BUY", 100_000, "LIMIT"), {"price": "100.00"}),
    (errors.InsufficientHoldings, {}, ("SELL", 10, "LIMIT"), {"price": "100.00", "product": "DELIVERY"}),
]


@pytest.mark.parametrize(("refusal", "facts", "order", "terms"), REFUSED)
def test_an_order_that_its_stock_or_its_account_does_not_allow_is_refused(trader, refusal, facts, order, terms):
    if facts:
        know(**facts)
    before = counts(), account_now(trader)
    with pytest.raises(refusal):
        place(trader, *order, **terms)
    assert (counts(), account_now(trader)) == before


def test_circuits_of_another_day_refuse_nothing(trader):
    know(upper_circuit="110.00")
    run("UPDATE stock SET circuit_day = circuit_day - 1")
    assert place(trader, "BUY", 10, price="120.00")["status"] == "PENDING"


def test_an_immediate_account_is_not_checked_against_the_stock(account, trader):
    know(tick_size="0.05", lot_size=25, allows_intraday=False, upper_circuit="50.00")
    assert place(account().id, "BUY", 10, price="100.02")["status"] == "PENDING"


@pytest.mark.parametrize(
    ("order_type", "terms", "fields"),
    [
        ("STOP_MARKET", {"trigger_price": "105.00"}, ["orderType", "triggerPrice"]),
        ("LIMIT", {"price": "90.00", "validity": "GTC"}, ["validity"]),
        ("LIMIT", {"price": "90.00", "after_market": True}, ["afterMarket"]),
        ("MARKET", {"market_protection": "5.00"}, ["marketProtection"]),
    ],
)
def test_an_immediate_account_simulates_no_resting_orders(account, trader, order_type, terms, fields):
    other = account().id
    with pytest.raises(errors.NotSimulated) as refusal:
        place(other, "BUY", 10, order_type, **terms)
    assert refusal.value.details == {"fields": fields}


def test_refusals_come_in_their_order(account, trader):
    """Each order of this case is refused for all reasons that are left; the first of them is answered."""
    know(allows_intraday=False, lot_size=25, tick_size="0.05", upper_circuit="110.00", lower_circuit="90.00")
    bad = asked("BUY", 1_000_010, "STOP_LIMIT", trigger_price="99.02", price="98.02", client_order_id="taken")
    place(trader, "BUY", 25, price="100.00", client_order_id="taken", product="DELIVERY")
    close_market()
    set_status(trader, "SUSPENDED")
    immediate = account().id
    with pytest.raises(errors.NotSimulated):
        place_order(immediate, bad, calendar="NSE")

    def refusal(calendar=None, fills=DEFAULT_FILLS, **changes):
        request = asked(
            **({"side": "BUY", "quantity": 999_990, "order_type": "STOP_LIMIT", "trigger_price": "99.02"}
               | {"price": "98.02", "client_order_id": "taken"} | changes)
        )  # fmt: skip
        with pytest.raises(errors.Refused) as caught:
            place_order(trader, request, calendar=calendar, fills=fills)
        return type(caught.value)

    assert refusal("NSE") == errors.DuplicateClientOrderId
    repaired = {"client_order_id": None}
    assert refusal("NSE", **repaired) == errors.AccountSuspended
    set_status(trader, "ACTIVE")
    assert refusal("NSE", **repaired) == errors.MarketClosed
    assert refusal(**repaired) == errors.IntradayNotAllowed
    repaired["product"] = "DELIVERY"
    assert refusal(**repaired) == errors.QuantityOffLot
    repaired["quantity"] = 1_000_000
    assert refusal(**repaired) == errors.PriceOffTick
    repaired |= {"trigger_price": "89.50", "price": "89.00"}
    assert refusal(**repaired) == errors.TriggerBeyondPrice
    repaired["price"] = "111.00"
    assert refusal(**repaired) == errors.TriggerOnWrongSide
    repaired["trigger_price"] = "105.00"
    assert refusal(**repaired) == errors.PriceOutsideBand
    repaired["price"] = "106.00"
    assert refusal(**repaired) == errors.InsufficientMargin
    know(allows_intraday=True)
    intraday = repaired | {"product": "INTRADAY"}
    assert refusal(fills=AFTER_SQUARE_OFF, **intraday | {"price": "111.00"}) == errors.PriceOutsideBand
    assert refusal(fills=AFTER_SQUARE_OFF, **intraday) == errors.SquareOffPassed
    assert refusal(fills=AFTER_SQUARE_OFF, **repaired) == errors.InsufficientMargin
    assert len(rows("SELECT 1 FROM trading_order")) == 1
