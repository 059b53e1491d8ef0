"""F41: the square-off of a day, with workers killed in the middle of it, several of them, none of them, or no Redis."""

from typing import Any

import pytest

from tests.faults.checks import heal_drain_check
from tests.faults.markets import QUOTES, SYMBOL, Market
from tests.faults.system import System
from tests.faults.workload import Client
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults

DAY = "2026-11-02"
AT_99, AT_101 = ("98.90", "99.00", "98.95"), ("101.00", "101.10", "101.05")
TRADERS, QUANTITY = 4, 10
# A claim of a killed worker ends after 15 s.
CLOSED_S = 60.0


class TradingDay:
    """A market with its own clock, and traders with positions and resting orders."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.set_clock("15:00")
        system.starter.environment |= {"SQUARE_OFF_TIME": "15:12", **QUOTES}  # of revived processes too
        system.start()
        self.market = Market(system)
        self.traders: list[Client] = []

    def set_clock(self, time_of_day: str, day: str = DAY) -> None:
        """Set the market's clock to a time in India, from which it runs on."""
        [(ahead,)] = self.system.sql(
            f"SELECT (timestamp '{day} {time_of_day}' AT TIME ZONE 'Asia/Kolkata' - clock_timestamp())::text"
        )
        self.system.sql(
            "CREATE OR REPLACE FUNCTION public.market_now() RETURNS timestamptz LANGUAGE sql"
            f" AS $$SELECT clock_timestamp() + interval '{ahead}'$$"
        )

    def open_positions(self) -> None:
        """Let each trader hold a position, with a target and a second purchase at rest."""
        workload = self.market.workload
        self.traders = [workload.add_client(workload.open_account(f"Trader {number}")) for number in range(TRADERS)]
        self.market.quote(*AT_99)
        for trader in self.traders:
            trader.is_idle = True
            self.place(trader, "BUY", "99.00")
        self.wait_for_quantities(QUANTITY)
        for trader in self.traders:
            self.place(trader, "SELL", "110.00")
            self.place(trader, "BUY", "95.00")
        self.wait_for("SELECT count(*) FROM trading_order WHERE status = 'OPEN'", 2 * TRADERS)

    def place(self, trader: Client, side: str, price: str) -> None:
        """Place an INTRADAY LIMIT order."""
        request = trader.place(side=side, symbol=SYMBOL, quantity=QUANTITY, price=price)
        assert request.status == 202, request

    def close(self) -> None:
        """Let the time of the square-off come, with a quote that fills its orders."""
        self.set_clock("15:12")
        self.market.quote(*AT_101)

    def wait_for_quantities(self, quantity: int, timeout_s: float = 20.0) -> None:
        """Wait until each trader holds a quantity."""
        held = f"SELECT count(*) FROM position WHERE product = 'INTRADAY' AND quantity = {quantity}"
        self.wait_for(held, TRADERS, timeout_s)

    def wait_for(self, query: str, number: int, timeout_s: float = 20.0) -> None:
        """Wait until a query returns a number."""
        wait_until(lambda: self.system.sql(query) == [(number,)], timeout_s=timeout_s, what=f"{number} from {query}")

    def check(self, rule: str, *, price: str = "101.00", end: str = "cancelled", reason: str = "'square_off'") -> None:
        """Check that each position was closed once at a price and each resting order ended once, and all books."""
        self.wait_for_quantities(0, CLOSED_S)
        self.wait_for("SELECT count(*) FROM square_off WHERE finished_at IS NOT NULL", TRADERS, CLOSED_S)
        closing = self.system.sql(
            "SELECT status, average_price::text, fill ->> 'rule' FROM trading_order WHERE origin = 'SQUARE_OFF'"
        )
        assert closing == [("EXECUTED", price, rule)] * TRADERS
        ended = f"type = 'order.{end}' AND data ->> 'end_reason' IS NOT DISTINCT FROM {reason}"
        assert self.system.sql(f"SELECT count(*) FROM event WHERE {ended}") == [(2 * TRADERS,)]
        assert self.system.sql("SELECT DISTINCT blocked_margin::text FROM account") == [("0.00",)]
        heal_drain_check(self.system, self.market.workload)


@pytest.fixture
def day(system: System) -> TradingDay:
    """Return a day shortly before its square-off, with open positions."""
    day = TradingDay(system)
    day.open_positions()
    return day


@pytest.mark.parametrize(
    "point",
    [
        "worker_dies_ending_for_square_off",
        "worker_dies_placing_closing_orders",
        "worker_dies_after_closing_orders",
        "worker_dies_before_square_off_ends",
        "worker_dies_before_commit",
    ],
)
def test_f41_killed_in_mid_square_off_each_position_is_closed_once(day: TradingDay, system: System, point: str) -> None:
    armed = system.arm(point)
    with system.kept():
        day.close()
        system.wait_for_hit(armed)
        day.check("market")


def test_f41_killed_at_the_close_what_waited_fills_once_at_the_last_price(day: TradingDay, system: System) -> None:
    armed = system.arm("worker_dies_matching_at_close")
    with system.kept():
        day.set_clock("15:14")  # the last quote is too old
        day.wait_for("SELECT count(*) FROM trading_order WHERE origin = 'SQUARE_OFF' AND status = 'OPEN'", TRADERS)
        day.set_clock("00:00", "2026-11-03")
        system.wait_for_hit(armed)
        day.check("close_price", price="98.95")


def test_f41_three_workers_close_each_position_once(day: TradingDay, system: System) -> None:
    for _ in range(2):
        system.start_worker()
    day.close()
    day.check("market")


def test_f41_without_redis_positions_are_closed(day: TradingDay, system: System) -> None:
    system.broker_proxy.refuse()
    day.close()
    day.check("market")


def test_f41_a_day_that_no_worker_saw_is_made_up_for(day: TradingDay, system: System) -> None:
    for worker in system.workers:
        worker.terminate()
    system.workers.clear()
    day.close()
    day.set_clock("09:20", "2026-11-03")
    system.start_worker()
    day.check("close_price", price="101.05", end="expired", reason="NULL")  # its orders ended with the day


def test_f41_an_account_that_is_held_is_closed_when_it_is_free_and_the_others_meanwhile(
    day: TradingDay, system: System
) -> None:
    account_id = day.traders[0].account_id
    session: Any = system.connect(account_id)
    session.autocommit = False
    session.cursor().execute("SELECT FROM account WHERE id = %s FOR NO KEY UPDATE", (account_id,))
    day.close()
    day.wait_for("SELECT count(*) FROM position WHERE quantity = 0", TRADERS - 1, CLOSED_S)
    assert system.sql("SELECT count(*) FROM position WHERE quantity <> 0") == [(1,)]
    session.close()
    day.check("market")
