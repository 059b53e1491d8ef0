"""Orders, trades and refusals as the official clients see them."""

import pytest

from tests.kite_clients.market import PRICES, TOKENS
from tests.kite_clients.sessions import Client, Session, as_day, names

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

# Of Kite Connect v3 (its documentation was read 2026-11).
FIELDS = names(
    "account_id placed_by order_id exchange_order_id parent_order_id status status_message status_message_raw "
    "order_timestamp exchange_update_timestamp exchange_timestamp variety modified exchange tradingsymbol "
    "instrument_token order_type transaction_type validity validity_ttl product quantity disclosed_quantity price "
    "trigger_price auction_number average_price filled_quantity pending_quantity cancelled_quantity market_protection "
    "meta tag guid"
)
SLICES = Client("python", "5.2.2")  # the only one that asks for slices
TRADE_FIELDS = names(
    "trade_id order_id exchange tradingsymbol instrument_token product average_price quantity exchange_order_id "
    "transaction_type fill_timestamp order_timestamp exchange_timestamp"
)


def order_of(session: Session, name: str) -> dict:
    """Return the last state of an order in a history."""
    return session[name][-1]


def test_an_order_has_an_id_of_fifteen_digits_and_is_read_at_once(session: Session) -> None:
    order_id = session["limit"]
    assert order_id.isdigit()
    assert len(order_id) == 15
    order = order_of(session, "limit_placed")
    assert set(order) >= FIELDS
    assert order["order_id"] == order_id
    assert (order["status"], order["price"], order["quantity"], order["pending_quantity"]) == ("OPEN", 1400.0, 2, 2)
    assert (order["order_type"], order["product"], order["validity"], order["variety"]) == (
        "LIMIT",
        "CNC",
        "DAY",
        "regular",
    )
    assert (order["tag"], order["tags"]) == ("first", ["first"])
    assert (order["instrument_token"], order["average_price"]) == (TOKENS["INFY"], 0)
    assert (order["status_message"], order["modified"], order["filled_quantity"]) == (None, False, 0)
    assert as_day(order["order_timestamp"])
    (listed,) = [one for one in session["orders_with_limit"] if one["order_id"] == order_id]
    assert listed["status"] == "OPEN"


def test_a_history_begins_with_the_states_that_bots_wait_for(session: Session) -> None:
    states = [one["status"] for one in session["limit_placed"]]
    assert states == ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN"]
    assert session["limit_placed"][0]["exchange_order_id"] is None


def test_an_order_is_modified_under_its_id(session: Session) -> None:
    assert session["modified"] == session["limit"]
    order = order_of(session, "limit_modified")
    assert (order["status"], order["price"], order["modified"]) == ("OPEN", 1401.0, True)
    states = [one["status"] for one in session["limit_modified"]]
    assert states[-4:] == ["MODIFY VALIDATION PENDING", "MODIFY PENDING", "MODIFIED", "OPEN"]


def test_an_order_is_cancelled_once(session: Session) -> None:
    assert session["cancelled"] == session["limit"]
    order = order_of(session, "limit_cancelled")
    assert (order["status"], order["filled_quantity"], order["cancelled_quantity"]) == ("CANCELLED", 0, 2)
    late = "Order cannot be {} as it is being processed. Try later."
    assert session.refusal("cancelled_again", "InputException") == late.format("cancelled")
    assert session.refusal("modified_again", "InputException") == late.format("modified")


def test_an_ioc_order_that_meets_nobody_is_cancelled(session: Session) -> None:
    order = order_of(session, "ioc_history")
    assert (order["status"], order["validity"], order["cancelled_quantity"]) == ("CANCELLED", "IOC", 1)


def test_a_market_order_is_complete_and_has_a_trade(session: Session) -> None:
    order = order_of(session, "market_history")
    ask = PRICES["RELIANCE"] + 0.05
    assert (order["status"], order["filled_quantity"], order["pending_quantity"]) == ("COMPLETE", 4, 0)
    assert order["average_price"] == pytest.approx(ask)
    assert order["exchange_order_id"].isdigit()
    (trade,) = session["order_trades"]
    assert set(trade) >= TRADE_FIELDS
    assert (trade["order_id"], trade["quantity"], trade["product"]) == (session["market"], 4, "MIS")
    assert trade["average_price"] == pytest.approx(ask)
    assert trade["trade_id"].isdigit()
    assert trade in session["trades"]


def test_stops_wait_for_their_triggers(session: Session) -> None:
    stop, stop_market = (order_of(session, name) for name in ("sl_history", "slm_history"))
    assert (stop["status"], stop["order_type"]) == ("TRIGGER PENDING", "SL")
    assert (stop["price"], stop["trigger_price"]) == (2470.0, 2480.0)
    assert (stop_market["status"], stop_market["order_type"]) == ("TRIGGER PENDING", "SL-M")
    assert (stop_market["price"], stop_market["trigger_price"]) == (0, 2400.0)


def test_the_days_orders_are_listed_in_the_order_of_their_times(session: Session) -> None:
    ids = [order["order_id"] for order in session["orders"]]
    assert ids == sorted(ids)
    placed = ["limit", "ioc", "market", "sl", "slm", "sold"]
    assert [one for one in ids if one in {session[name] for name in placed}] == [session[name] for name in placed]
    assert all(set(order) >= FIELDS for order in session["orders"])


def test_refusals_have_the_types_and_the_words_of_kite(session: Session) -> None:
    funds = session.refusal("no_funds", "MarginException")
    assert funds.startswith("Insufficient funds. Required margin is ")
    assert "but available margin is " in funds
    assert session.refusal("no_symbol", "InputException").startswith("The instrument you are placing an order for")
    assert session.refusal("no_tick", "InputException").startswith("Tick size for this script is 0.05.")
    trigger = "Trigger price for stoploss sell orders should be lower than the last traded price"
    assert session.refusal("wrong_trigger", "InputException") == trigger
    assert session.refusal("no_shares", "HoldingException")
    assert session.refusal("no_order", "GeneralException", 404) == "Couldn't find that `order_id`."


def test_an_order_that_needs_no_slices_is_placed_as_it_is(session: Session) -> None:
    assert ("sliced" in session.seen) == (session.client == SLICES)
    if session.client == SLICES:
        assert session["sliced"]["order_id"].isdigit()


def test_what_is_not_offered_is_empty_or_refused(session: Session) -> None:
    for name in ("gtts", "mf_orders", "mf_sips", "mf_holdings", "mf_instruments", "get_auction_instruments"):
        assert session[name] == [], name
    assert session.refusal("gtt", "InputException")
