"""The ticker as the official clients hear it, all at the same time and for a minute."""

import pytest

from tests.kite_clients.conftest import SILENT_S
from tests.kite_clients.market import FALLEN, LAST_INFY, MANY, PRICES, TOKENS
from tests.kite_clients.sessions import Session

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

HEARTBEAT_S = 2.0
LATE_S = 2.5  # of a machine that runs other tests


def test_a_client_stays_connected_through_silence(session: Session) -> None:
    heard = session.heard
    assert session.listened_s > 60
    assert (heard["connects"], heard["reconnects"]) == (1, 0)
    assert (heard["closes"], heard["errors"]) == ([], [])
    assert heard["heartbeats"] >= SILENT_S / HEARTBEAT_S - 2
    assert heard["silence_s"] < HEARTBEAT_S + LATE_S


def test_every_stock_has_a_first_packet_at_once(session: Session) -> None:
    assert session.heard["stocks"] == len(MANY) + len(TOKENS)
    assert session.heard["slowest_first_s"] < 1 + LATE_S


def test_each_mode_has_its_packet(session: Session) -> None:
    ltp, quote, full = (session.heard["last"][mode] for mode in ("ltp", "quote", "full"))
    assert [tick["mode"] for tick in (ltp, quote, full)] == ["ltp", "quote", "full"]
    assert all(tick["tradable"] is True for tick in (ltp, quote, full))
    assert (ltp["last_price"], quote["last_price"], full["last_price"]) == (FALLEN, PRICES["TCS"], LAST_INFY)
    assert set(ltp) == {"tradable", "mode", "instrument_token", "last_price"}
    assert quote["ohlc"] == {"open": 2995.0, "high": 3010.0, "low": 2990.0, "close": 2990.0}
    assert full["depth"]["buy"][0] == {
        "quantity": 120,
        "price": LAST_INFY - 0.05,
        "orders": full["depth"]["buy"][0]["orders"],
    }
    assert [len(full["depth"][side]) for side in ("buy", "sell")] == [5, 5]
    assert full["volume_traded"] > 1_000
    assert full["exchange_timestamp"]
    assert full["last_trade_time"]
    assert full["change"] == pytest.approx((LAST_INFY - full["ohlc"]["close"]) * 100 / full["ohlc"]["close"])


def test_changes_arrive_as_they_come_and_nothing_while_the_market_stands_still(session: Session) -> None:
    assert session.heard["counts"]["full"] > 15
    assert session.heard["counts"]["ltp"] >= 2


def test_a_stop_that_fills_is_told(session: Session) -> None:
    order_id = session["sl"]
    updates = [order for order in session.heard["updates"] if order["order_id"] == order_id]
    assert updates, session.heard["updates"]
    assert {order["order_id"] for order in session.heard["updates"]} == {order_id}
    last = updates[-1]
    assert (last["status"], last["filled_quantity"], last["transaction_type"]) == ("COMPLETE", 1, "SELL")
    assert last["average_price"] == pytest.approx(FALLEN - 0.05)
    assert (last["tradingsymbol"], last["instrument_token"]) == ("RELIANCE", TOKENS["RELIANCE"])
