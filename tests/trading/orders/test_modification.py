"""Changing a PENDING order."""

import functools
from decimal import Decimal
from uuid import uuid4

import pytest
from peewee import IntegrityError

from tests.support.sessions import close_market
from tests.support.trading import (
    account_now,
    at_once,
    buy,
    cancel,
    counts,
    execute,
    hold,
    ledger_of,
    modify,
    money,
    one,
    order_now,
    rows,
    run,
    sell,
)
from trading.accounts import administration
from trading.execution.sweeping import sweep_once
from trading.matching import feed
from trading.orders.modification import OrderChange, modify_order
from trading.rules.errors import (
    AccountSuspended,
    InsufficientHoldings,
    InsufficientMargin,
    MarketClosed,
    NotFound,
    OrderNotOpen,
    PreconditionFailed,
    PriceNotTaken,
)
from trading.upkeep import verify

TERMS = ("quantity", "price", "closing_quantity", "blocked_margin", "charges", "charge_items")
MONEY = ("balance", "blocked_margin", "available_margin")


@pytest.fixture(autouse=True)
def books_are_right(clean):
    yield
    assert verify.verify() == []


def terms(order):
    return [order[name] for name in TERMS]


def purse(account_id):
    account = account_now(account_id)
    return [account[name] for name in MONEY]


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({"quantity": 20}, ["MARGIN_BLOCK", "CHARGES"]),
        ({"quantity": 3}, ["MARGIN_RELEASE", "CHARGES_REFUND"]),
        ({"price": "120.50"}, ["MARGIN_BLOCK", "CHARGES"]),
        ({"quantity": 5, "price": "99.95"}, ["MARGIN_RELEASE", "CHARGES_REFUND"]),
    ],
)
def test_a_changed_order_equals_a_new_order_with_the_same_terms(trader, account, change, kinds):
    order = buy(trader, 10, "100.00")
    changed = modify(order, **change)
    other = account().id
    twin = buy(other, change.get("quantity", 10), change.get("price", "100.00"))
    assert terms(changed) == terms(twin)
    assert purse(trader) == purse(other)
    assert [kind for kind, _ in ledger_of(order)[2:]] == kinds
    assert {name: changed[name] for name in order} == order_now(order)
    assert (changed["placed_at"], changed["status"]) == (order["placed_at"], "PENDING")
    assert changed["updated_at"] > order["updated_at"]


def test_a_change_posts_the_differences(trader):
    order = buy(trader, 10, "100.00")
    changed = modify(order, quantity=12)
    differences = [
        ("MARGIN_BLOCK", changed["blocked_margin"] - order["blocked_margin"]),
        ("CHARGES", changed["charges"] - order["charges"]),
    ]
    assert ledger_of(order)[2:] == differences
    kept = rows(
        "SELECT to_jsonb(fund_transaction) AS entry FROM fund_transaction WHERE order_id = %s ORDER BY id", order["id"]
    )
    assert changed["transactions"] == [row["entry"] for row in kept]


def test_a_change_that_moves_no_money_posts_nothing(trader):
    order = buy(trader, 10, "100.00")
    changed = modify(order, quantity=20, price="50.00")
    assert (changed["quantity"], changed["price"]) == (20, money("50.00"))
    assert len(ledger_of(order)) == 2


@pytest.mark.parametrize("change", [{}, {"quantity": 10}, {"price": "100.00"}, {"quantity": 10, "price": "100.00"}])
def test_a_change_to_the_present_values_writes_nothing(trader, change):
    order = buy(trader, 10, "100.00")
    before = (counts(), order_now(order), account_now(trader))
    assert terms(modify(order, **change)) == terms(order)
    assert (counts(), order_now(order), account_now(trader)) == before


def test_a_change_is_one_event(trader):
    order = buy(trader, 10, "100.00")
    told = account_now(trader)["last_event_id"]
    modify(order, quantity=5)
    found = rows("SELECT type, data FROM event WHERE account_id = %s AND id > %s ORDER BY id", trader, told)
    assert [event["type"] for event in found] == ["account.updated", "order.modified"]
    assert found[1]["data"]["quantity"] == 5


def test_a_changed_order_executes_with_its_new_terms(trader):
    order = buy(trader, 10, "100.00")
    modify(order, quantity=7, price="90.00")
    assert execute(order).executed == 1
    done = order_now(order)
    assert (done["filled_quantity"], done["average_price"]) == (7, money("90.00"))
    assert one("SELECT cost FROM position") == money("630.00")
    assert len(ledger_of(order)) == 4  # the plain case: its execution writes no row


def test_a_changed_order_that_is_cancelled_gives_everything_back(trader):
    before = purse(trader)
    order = buy(trader, 10, "100.00")
    modify(order, quantity=50)
    modify(order, price="80.00")
    cancel(order)
    assert purse(trader) == before


def test_a_market_order_changes_its_quantity_at_the_last_price_and_takes_no_price(trader, quote):
    quote()
    order = buy(trader, 10)
    feed.set_quotes([("NSE", "RELIANCE", Decimal("2600.00"))])
    with pytest.raises(PriceNotTaken):
        modify(order, price="2500.00")
    changed = modify(order, quantity=5)
    assert (changed["price"], changed["blocked_margin"]) == (None, money("2600.00"))
    assert modify(order, quantity=5)["updated_at"] == changed["updated_at"]


def test_the_closing_quantity_is_computed_anew_without_the_orders_own_promise(trader):
    hold(trader, "BUY", 10, "100.00")
    first, second = sell(trader, 4, "100.00"), sell(trader, 10, "100.00")
    assert (first["closing_quantity"], second["closing_quantity"]) == (4, 6)
    changed = modify(second, quantity=5)
    assert (changed["closing_quantity"], changed["blocked_margin"]) == (5, 0)
    changed = modify(first, quantity=12)
    assert (changed["closing_quantity"], changed["blocked_margin"]) == (5, money("140.00") - money("100.00"))


def test_a_delivery_sell_grows_up_to_the_holding_that_is_not_promised(trader):
    hold(trader, "BUY", 10, "100.00", product="DELIVERY")
    sell(trader, 3, "100.00", product="DELIVERY")
    order = sell(trader, 2, "100.00", product="DELIVERY")
    assert modify(order, quantity=7)["closing_quantity"] == 7
    before = order_now(order)
    with pytest.raises(InsufficientHoldings):
        modify(order, quantity=8)
    assert order_now(order) == before


def test_a_change_without_enough_margin_is_refused_and_writes_nothing(account):
    trader = account("1000.00").id
    order = buy(trader, 10, "100.00")
    before = (counts(), order_now(order), account_now(trader))
    with pytest.raises(InsufficientMargin) as refusal:
        modify(order, quantity=50)
    assert refusal.value.details["available"] == money("1000.00")  # includes the order's own margin and charges
    assert refusal.value.details["required"] > 1000
    assert (counts(), order_now(order), account_now(trader)) == before


def test_an_order_may_take_the_last_paisa_and_not_one_more(account):
    twin = buy(account().id, 40, "100.00")
    takes = twin["blocked_margin"] + twin["charges"]
    enough, short = account(str(takes)).id, account(str(takes - money("0.01"))).id
    assert terms(modify(buy(enough, 1, "100.00"), quantity=40)) == terms(twin)
    assert account_now(enough)["available_margin"] == 0
    with pytest.raises(InsufficientMargin):
        modify(buy(short, 1, "100.00"), quantity=40)


def test_an_order_can_be_made_smaller_after_a_loss(account, quote):
    trader = account("1000.00").id
    position = hold(trader, "BUY", 20, "100.00")
    order = buy(trader, 20, "100.00", symbol="TCS")
    quote(last_price="1.00")
    execute(sell(trader, 20))  # loses nearly 2,000
    assert position["quantity"] == 20
    assert account_now(trader)["available_margin"] < 0
    with pytest.raises(InsufficientMargin):
        modify(order, quantity=21)
    assert modify(order, quantity=10)["blocked_margin"] == money("200.00")


@pytest.mark.parametrize(("ending", "status"), [(cancel, "CANCELLED"), (execute, "EXECUTED")])
def test_a_final_order_cannot_be_changed(trader, ending, status):
    order = buy(trader, 10, "100.00")
    ending(order)
    before = (order_now(order), account_now(trader))
    with pytest.raises(OrderNotOpen) as refusal:
        modify(order, quantity=10)
    assert refusal.value.details == {"order_status": status}
    assert (order_now(order), account_now(trader)) == before


def test_an_order_of_another_account_is_not_found(trader, account):
    order = buy(trader, 10, "100.00")
    for account_id, order_id in ((account().id, order["id"]), (trader, uuid4())):
        with pytest.raises(NotFound):
            modify_order(account_id, order_id, OrderChange(quantity=1), calendar=None)
    assert order_now(order)["quantity"] == 10


def test_a_suspended_account_may_not_change_an_order(trader):
    order = buy(trader, 10, "100.00")
    administration.set_status(trader, "SUSPENDED")
    with pytest.raises(AccountSuspended):
        modify(order, quantity=1)
    assert order_now(order)["quantity"] == 10


def test_an_order_is_not_changed_while_the_market_is_closed(trader):
    order = buy(trader, 10, "100.00")
    close_market()
    with pytest.raises(MarketClosed):
        modify(order, quantity=1, calendar="NSE")
    assert order_now(order)["quantity"] == 10


def test_an_order_with_another_version_is_not_changed(trader):
    order = buy(trader, 10, "100.00")
    changed = modify(order, quantity=20, expected_versions={order["version"]})
    with pytest.raises(PreconditionFailed):
        modify(order, quantity=1, expected_versions={order["version"]})
    with pytest.raises(PreconditionFailed):
        modify(order, quantity=1, expected_versions=set())
    assert order_now(order)["quantity"] == 20
    assert modify(order, quantity=1, expected_versions={order["version"], changed["version"]})["quantity"] == 1


@pytest.mark.parametrize("change", ["side = 'SELL'", "product = 'DELIVERY'", "symbol = 'X'", "exchange = 'BSE'"])
def test_the_database_refuses_to_change_the_identity_of_an_order(trader, change):
    buy(trader, 10, "100.00")
    with pytest.raises(IntegrityError, match="only quantity and price"):
        run(f"UPDATE trading_order SET {change}")


def test_an_order_changed_and_executed_at_once_has_old_or_new_terms(trader):
    balance, done = account_now(trader)["balance"], []
    for number in range(40):
        order = buy(trader, 10, "100.00", symbol=f"S{number}")
        changed, executed, swept = at_once(
            [
                functools.partial(modify, order, quantity=7, price="90.00"),
                functools.partial(execute, order),
                functools.partial(sweep_once, limit=10),
            ]
        )
        late = execute(order)  # the three may have left it to each other
        assert executed.executed + swept.executed + late.executed == 1
        row = order_now(order)
        assert row["status"] == "EXECUTED"
        was_changed = not isinstance(changed, OrderNotOpen)
        assert (row["filled_quantity"], row["average_price"]) == ((7, 90) if was_changed else (10, 100))
        done.append(row)
    # The account holds the margin and charges of each order's last terms, and nothing of earlier ones.
    after = account_now(trader)
    assert after["balance"] == balance - sum(row["charges"] for row in done)
    assert after["blocked_margin"] == sum(row["blocked_margin"] for row in done)
    held = {row["symbol"]: row["quantity"] for row in rows("SELECT symbol, quantity FROM position")}
    assert held == {row["symbol"]: row["filled_quantity"] for row in done}


def test_an_order_changed_and_cancelled_at_once_gives_everything_back(trader):
    before = purse(trader)
    for _ in range(30):
        order = buy(trader, 10, "100.00")
        changed, cancelled = at_once([functools.partial(modify, order, quantity=20), functools.partial(cancel, order)])
        assert cancelled["status"] == "CANCELLED"
        assert cancelled["quantity"] == (10 if isinstance(changed, OrderNotOpen) else 20)
    assert purse(trader) == before


def test_of_changes_at_once_that_expect_the_same_version_one_is_made(trader):
    for _ in range(10):
        order = buy(trader, 10, "100.00")
        change = functools.partial(modify, order, expected_versions={order["version"]})
        actions = [functools.partial(change, quantity=number) for number in range(11, 17)]
        done = at_once(actions)
        made = [row["quantity"] for row in done if not isinstance(row, PreconditionFailed)]
        assert made == [order_now(order)["quantity"]]


def test_changes_and_placements_at_once_never_take_more_margin_than_there_is(account):
    trader = account("1000.00").id
    orders = [buy(trader, 1, "100.00") for _ in range(6)]
    actions = [functools.partial(modify, order, quantity=15) for order in orders]
    done = at_once([*actions, *[functools.partial(buy, trader, 15, "100.00")] * 4])
    accepted = [row for row in done if not isinstance(row, InsufficientMargin)]
    assert 2 <= len(accepted) <= 3  # each needs 300 and a little
    assert account_now(trader)["available_margin"] >= 0
