"""Kite's funds, and its margins and charges of orders that are not placed."""

from decimal import Decimal

import pytest

from tests.support.kite import kite_headers
from tests.support.market_clock import clock
from tests.support.trading import buy, hold, one
from trading.accounts.administration import move_funds
from trading.accounts.funds import read_funds
from trading.day.reset import reset_account
from trading.rules.settlement import EVERY_DAY
from trading.rules.terms import LedgerKind

MIS = {
    "exchange": "NSE",
    "tradingsymbol": "RELIANCE",
    "transaction_type": "BUY",
    "variety": "regular",
    "product": "MIS",
    "order_type": "LIMIT",
    "quantity": 10,
    "price": 100,
    "trigger_price": 0,
}
CNC = MIS | {"product": "CNC"}
ZEROS = {"span": 0, "exposure": 0, "option_premium": 0, "additional": 0, "bo": 0, "cash": 0}
NO_GST = {"igst": 0, "cgst": 0, "sgst": 0, "total": 0}


__all__ = ["clock"]


@pytest.fixture
def trader(clock, account):
    clock("2026-11-02 10:00")
    return account("100000.00")


@pytest.fixture
def funds(client, trader):
    def get(path="/user/margins/equity"):
        return client.get(path, headers=kite_headers(trader.token)).get_json()["data"]

    return get


@pytest.fixture
def ask(client, trader):
    def post(path, *orders):
        answer = client.post(path, json=list(orders), headers=kite_headers(trader.token))
        assert answer.status_code == 200, answer.get_json()
        return answer.get_json()["data"]

    return post


@pytest.fixture
def refusal(client, trader):
    def post(path, body):
        answer = client.post(path, json=body, headers=kite_headers(trader.token))
        assert (answer.status_code, answer.get_json()["error_type"]) == (400, "InputException")
        return answer.get_json()["message"]

    return post


def test_a_new_account_opens_its_day_with_its_deposit(funds):
    assert funds("/user/margins") == {"equity": funds(), "commodity": funds("/user/margins/commodity")}
    assert funds() == {
        "enabled": True,
        "net": 100000,
        "available": {
            "adhoc_margin": 0,
            "cash": 100000,
            "opening_balance": 100000,
            "live_balance": 100000,
            "collateral": 0,
            "intraday_payin": 0,
        },
        "utilised": {
            "debits": 0,
            "exposure": 0,
            "m2m_realised": 0,
            "m2m_unrealised": 0,
            "option_premium": 0,
            "payout": 0,
            "span": 0,
            "holding_sales": 0,
            "turnover": 0,
            "liquid_collateral": 0,
            "stock_collateral": 0,
            "delivery": 0,
        },
    }


def test_commodities_have_no_money(funds):
    commodity = funds("/user/margins/commodity")
    assert (commodity["enabled"], commodity["net"]) == (False, 0)
    assert set(commodity["available"].values()) | set(commodity["utilised"].values()) == {0}


def test_another_segment_is_refused(client, trader):
    answer = client.get("/user/margins/currency", headers=kite_headers(trader.token))
    assert (answer.status_code, answer.get_json()["message"]) == (400, "Invalid `segment`.")


def test_margin_and_charges_are_used_and_the_live_balance_is_the_available_margin(funds, trader, quote):
    hold(trader.id, "BUY", 100, "100.00")
    buy(trader.id, 10, "50.00")
    quote(last_price="101.50")
    available = one("SELECT available_margin FROM account WHERE id = %s", trader.id)
    found = funds()
    assert Decimal(str(found["net"])) == Decimal(str(found["available"]["live_balance"])) == available
    utilised = found["utilised"]
    assert utilised["exposure"] == 2100
    assert utilised["debits"] == pytest.approx(100000 - float(available))
    assert (utilised["m2m_realised"], utilised["m2m_unrealised"]) == (0, 150)


def test_the_day_has_its_payments_and_its_realised_profit(funds, trader, clock):
    hold(trader.id, "BUY", 100, "100.00")
    clock("2026-11-03 10:00")
    opening = float(one("SELECT available_margin FROM account WHERE id = %s", trader.id))
    move_funds(trader.id, LedgerKind.DEPOSIT, Decimal("500.00"))
    move_funds(trader.id, LedgerKind.WITHDRAWAL, Decimal("200.00"))
    hold(trader.id, "SELL", 100, "101.00")
    found = funds()
    available, utilised = found["available"], found["utilised"]
    assert available["opening_balance"] == opening
    assert available["intraday_payin"] == 500
    assert utilised["payout"] == 200
    assert utilised["m2m_realised"] == 100
    assert available["cash"] == pytest.approx(opening + 300)
    assert utilised["debits"] == pytest.approx(available["cash"] - found["net"])


def test_paid_shares_are_no_cash_and_their_sale_is_told(funds, trader, clock):
    hold(trader.id, "BUY", 10, "1000.00", product="DELIVERY")
    clock("2026-11-04 10:00")
    assert funds()["available"]["cash"] == pytest.approx(90000 - 11.88, abs=0.02)
    assert funds()["utilised"]["debits"] == 0
    hold(trader.id, "SELL", 4, "1050.00", product="DELIVERY")
    assert funds()["utilised"]["holding_sales"] == 4200
    assert funds()["utilised"]["exposure"] == 0


def test_a_sale_of_todays_shares_is_no_sale_of_holdings(funds, trader, clock):
    hold(trader.id, "BUY", 4, "1000.00", product="DELIVERY")
    clock("2026-11-03 10:00")
    hold(trader.id, "BUY", 10, "1000.00", product="DELIVERY")
    hold(trader.id, "SELL", 6, "1050.00", product="DELIVERY")
    assert funds()["utilised"]["holding_sales"] == 4200


def test_a_reset_begins_the_day_anew(funds, trader):
    hold(trader.id, "BUY", 100, "100.00")
    hold(trader.id, "SELL", 100, "90.00")
    reset_account(trader.id, Decimal("50000.00"))
    found = funds()
    assert [found["available"][name] for name in ("cash", "opening_balance", "live_balance")] == [50000] * 3
    assert set(found["utilised"].values()) == {0}


def test_an_account_without_entries_has_nothing(account):
    trader = account("0.00")
    found = read_funds(trader.id, EVERY_DAY)
    assert (found.cash, found.debits, found.available) == (0, 0, 0)


def test_an_order_needs_its_margin_and_costs_its_charges(ask):
    assert ask("/margins/orders?mode=compact", CNC | {"anything": {"else": 1}}) == [
        {
            "type": "equity",
            "tradingsymbol": "RELIANCE",
            "exchange": "NSE",
            **ZEROS,
            "var": 1000,
            "pnl": {"realised": 0, "unrealised": 0},
            "leverage": 1,
            "charges": {
                "transaction_tax": 1.0,
                "transaction_tax_type": "stt",
                "exchange_turnover_charge": 0.0307,
                "sebi_turnover_charge": 0.001,
                "brokerage": 0,
                "stamp_duty": 0.15,
                "gst": {"igst": 0.005706, "cgst": 0, "sgst": 0, "total": 0.005706},
                "total": 1.187406,
            },
            "total": 1000,
        }
    ]
    (mis,) = ask("/margins/orders", MIS)
    assert (mis["var"], mis["total"], mis["leverage"]) == (200, 200, 5)


def test_an_order_without_a_price_is_priced_at_the_last_one(ask, refusal, quote):
    market = MIS | {"order_type": "MARKET", "price": 0}
    assert refusal("/margins/orders", [market]).startswith("The stock has no last traded price")
    quote(last_price="250.00")
    assert [margin["total"] for margin in ask("/margins/orders", market, MIS, MIS | {"price": 0})] == [500, 200, 500]
    (stop,) = ask("/margins/orders", MIS | {"order_type": "SL-M", "price": 0, "trigger_price": 300})
    assert stop["total"] == 600


def test_orders_of_a_basket_close_each_other_and_the_positions(ask, trader):
    sale = MIS | {"transaction_type": "SELL", "quantity": 15}
    found = ask("/margins/basket?consider_positions=False&mode=compact", MIS, sale)
    assert (found["initial"]["total"], found["final"]["total"]) == (500, 100)
    assert [margin["total"] for margin in found["orders"]] == [200, 300]
    assert found["charges"]["total"] == pytest.approx(sum(one["charges"]["total"] for one in found["orders"]))
    assert found["initial"]["type"] == found["initial"]["tradingsymbol"] == ""
    assert found["initial"]["charges"]["gst"] == NO_GST
    hold(trader.id, "BUY", 5, "100.00")
    for query, final in (("", 0), ("?consider_positions=true", 0), ("?consider_positions=0", 100)):
        assert ask(f"/margins/basket{query}", MIS, sale)["final"]["total"] == final
    assert ask("/margins/basket")["final"]["total"] == 0


def test_the_charges_of_filled_orders_are_unrounded(ask):
    order = CNC | {"order_id": "11", "tradingsymbol": "SBIN", "order_type": "MARKET", "quantity": 1}
    (note,) = ask("/charges/orders", order | {"average_price": 560})
    gst = 0.18 * (0.017192 + 0.00056)
    assert note == {
        "transaction_type": "BUY",
        "tradingsymbol": "SBIN",
        "exchange": "NSE",
        "variety": "regular",
        "product": "CNC",
        "order_type": "MARKET",
        "quantity": 1,
        "price": 560,
        "charges": {
            "transaction_tax": 0.56,
            "transaction_tax_type": "stt",
            "exchange_turnover_charge": 0.017192,
            "sebi_turnover_charge": 0.00056,
            "brokerage": 0,
            "stamp_duty": 0.084,
            "gst": {"igst": pytest.approx(gst), "cgst": 0, "sgst": 0, "total": pytest.approx(gst)},
            "total": pytest.approx(0.56 + 0.017192 + 0.00056 + 0.084 + gst),
        },
    }


def test_charges_need_an_average_price(refusal):
    assert refusal("/charges/orders", [CNC | {"average_price": 0}]) == "Invalid `average_price`."
    assert refusal("/charges/orders", [CNC]) == "Invalid `average_price`."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exchange": "NFO"}, "Invalid `exchange`."),
        ({"product": "NRML"}, "Invalid `product`."),
        ({"quantity": 0}, "Invalid `quantity`."),
        ({"quantity": 1_000_001}, "Invalid `quantity`."),
        ({"quantity": None}, "Missing or empty field `quantity`"),
        ({"price": -1}, "Invalid `price`."),
        ({"transaction_type": "HOLD"}, "Invalid `transaction_type`."),
        ({"order_type": "BRACKET"}, "Invalid `order_type`."),
    ],
)
@pytest.mark.parametrize("path", ["/margins/orders", "/margins/basket", "/charges/orders"])
def test_an_order_that_cannot_be_read_is_refused(refusal, path, changes, message):
    assert refusal(path, [CNC | {"average_price": 10} | changes]) == message


@pytest.mark.parametrize("body", [{}, [1], "x", 1])
def test_a_body_that_is_no_list_of_orders_is_refused(refusal, body):
    assert refusal("/margins/orders", body) == "The body must be a JSON list of orders."
