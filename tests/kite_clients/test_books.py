"""The account, its positions and holdings, and calculations as the official clients see them."""

import pytest

from tests.kite_clients.market import PRICES, TOKENS
from tests.kite_clients.sessions import BALANCE, Session, names

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

POSITION_FIELDS = names(
    "tradingsymbol exchange instrument_token product quantity overnight_quantity multiplier average_price close_price "
    "last_price value pnl m2m unrealised realised buy_quantity buy_price buy_value buy_m2m sell_quantity sell_price "
    "sell_value sell_m2m day_buy_quantity day_buy_price day_buy_value day_sell_quantity day_sell_price "
    "day_sell_value"
)
AVAILABLE = names("adhoc_margin cash opening_balance live_balance collateral intraday_payin")
UTILISED = names(
    "debits exposure m2m_realised m2m_unrealised option_premium payout span holding_sales turnover liquid_collateral "
    "stock_collateral delivery"
)


def test_a_token_signs_in(session: Session) -> None:
    assert session["session"]["access_token"]
    assert session["session_profile"] == session["profile"]
    assert session["signed_out"] is True
    assert session.refusal("nobody", "TokenException", 403) == "Incorrect `api_key` or `access_token`."


def test_the_profile_names_what_can_be_traded(session: Session) -> None:
    profile = session["profile"]
    assert profile["user_id"].isalnum()
    assert set(profile["exchanges"]) == {"NSE", "BSE"}
    assert set(profile["products"]) == {"CNC", "MIS"}
    assert set(profile["order_types"]) == {"MARKET", "LIMIT", "SL", "SL-M"}


def test_the_margins_are_the_accounts(session: Session) -> None:
    equity = session["margins"]["equity"]
    assert session["margins_equity"] == equity
    assert set(equity["available"]) == AVAILABLE
    assert set(equity["utilised"]) == UTILISED
    assert equity["enabled"] is True
    assert equity["net"] == equity["available"]["live_balance"]
    assert equity["available"]["cash"] == float(BALANCE)
    assert 14_500 < equity["utilised"]["debits"] < 15_000  # five shares, and their charges
    assert equity["net"] == pytest.approx(equity["available"]["cash"] - equity["utilised"]["debits"])
    assert session["margins"]["commodity"]["net"] == 0


def test_positions_are_of_the_day_and_net(session: Session) -> None:
    net, day = session["positions"]["net"], session["positions"]["day"]
    assert all(set(one) == POSITION_FIELDS for one in (*net, *day))
    found = {(one["tradingsymbol"], one["product"]): one for one in net}
    intraday, delivery = found[("RELIANCE", "MIS")], found[("RELIANCE", "CNC")]
    assert session["converted"] is True
    assert (intraday["quantity"], delivery["quantity"]) == (3, 1)
    assert intraday["average_price"] == pytest.approx(PRICES["RELIANCE"] + 0.05)
    assert intraday["instrument_token"] == TOKENS["RELIANCE"]
    assert intraday["pnl"] == pytest.approx(intraday["value"] + intraday["quantity"] * intraday["last_price"])
    assert found[("TCS", "CNC")]["quantity"] == -2
    assert {(one["tradingsymbol"], one["product"]) for one in day} == set(found)


def test_a_sale_uses_the_holding(session: Session) -> None:
    (holding,) = session["holdings"]
    assert (holding["tradingsymbol"], holding["exchange"], holding["product"]) == ("TCS", "NSE", "CNC")
    assert (holding["opening_quantity"], holding["used_quantity"], holding["instrument_token"]) == (5, 2, TOKENS["TCS"])
    assert holding["average_price"] == pytest.approx(2900.0)
    assert holding["day_change"] == pytest.approx(holding["last_price"] - holding["close_price"])


def test_margins_and_charges_are_calculated(session: Session) -> None:
    (order,) = session["order_margins"]
    assert (order["type"], order["tradingsymbol"], order["leverage"]) == ("equity", "INFY", 5)
    assert order["total"] == pytest.approx(10 * PRICES["INFY"] / 5, rel=0.01)
    assert order["charges"]["total"] > 0
    basket = session["basket"]
    assert basket["initial"]["total"] >= basket["final"]["total"]
    assert len(basket["orders"]) == 2
    if "contract_note" in session.seen:
        (note,) = session["contract_note"]
        assert note["charges"]["total"] > 0
        assert note["charges"]["transaction_tax_type"] == "stt"
