"""F43: a process that dies while it releases after-market orders at the opening of their session."""

import pytest

from tests.faults.checks import heal_drain_check
from tests.faults.markets import QUOTES, SYMBOL, Market
from tests.faults.system import System
from tests.faults.workload import Client
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults

EVENING, OPENING = "2026-11-02 20:00", "2026-11-03 09:15"
SESSIONS = """
INSERT INTO session (calendar, day, class, opens_at, closes_at, square_off_at, kind)
SELECT 'NSE', day, class, (day + time '09:15') AT TIME ZONE 'Asia/Kolkata',
    (day + time '15:30') AT TIME ZONE 'Asia/Kolkata', NULL, 'SPECIAL'
FROM unnest('{2026-11-02, 2026-11-03, 2026-11-04}'::date[]) AS day, unnest('{NORMAL, AUCTION}'::text[]) AS class
"""
TRADERS, ORDERS = 3, 5
WAITING = "SELECT count(*) FROM trading_order WHERE waiting_for = 'session'"
AT_REST = "SELECT count(*) FROM trading_order WHERE status = 'OPEN' AND waiting_for = 'quote'"
EXECUTED = "SELECT count(*) FROM trading_order WHERE status = 'EXECUTED'"
# Orders by their account, in the order of their placement, and in that of their fills, each of which releases margin.
PLACED = "SELECT account_id, array_agg(id ORDER BY placed_at, id) FROM trading_order GROUP BY 1 ORDER BY 1"
FILLED = """
SELECT account_id, array_agg(order_id ORDER BY id) FROM fund_transaction WHERE kind = 'MARGIN_RELEASE'
GROUP BY 1 ORDER BY 1
"""


class Evening:
    """A market after its session, with its own clock, and traders with orders for the next session."""

    def __init__(self, system: System) -> None:
        self.system = system
        system.sql(SESSIONS)
        self.set_clock(EVENING)
        system.starter.environment |= {"MARKET_CALENDAR": "NSE", **QUOTES}  # of revived processes too
        system.start()
        self.market = Market(system)
        workload = self.market.workload
        self.traders = [workload.add_client(workload.open_account(f"Trader {number}")) for number in range(TRADERS)]
        for trader in self.traders:
            trader.is_idle = True
            self.place(trader)
        self.wait_for(WAITING, TRADERS * ORDERS)

    def set_clock(self, moment: str) -> None:
        """Set the market's clock to a time in India, from which it runs on."""
        [(ahead,)] = self.system.sql(
            f"SELECT (timestamp '{moment}' AT TIME ZONE 'Asia/Kolkata' - clock_timestamp())::text"
        )
        self.system.sql(
            "CREATE OR REPLACE FUNCTION public.market_now() RETURNS timestamptz LANGUAGE sql"
            f" AS $$SELECT clock_timestamp() + interval '{ahead}'$$"
        )

    def place(self, trader: Client) -> None:
        """Place after-market orders."""
        for quantity in range(1, ORDERS + 1):
            request = trader.place(side="BUY", symbol=SYMBOL, quantity=quantity, price="105.00", afterMarket=True)
            assert request.status == 202, request

    def wait_for(self, query: str, number: int, timeout_s: float = 30.0) -> None:
        """Wait until a query returns a number."""
        wait_until(lambda: self.system.sql(query) == [(number,)], timeout_s=timeout_s, what=f"{number} from {query}")

    def check(self) -> None:
        """Check that each order is released once and fills at the first quote, in the order of placement."""
        self.wait_for(AT_REST, TRADERS * ORDERS)  # the quote of the evening is of another session
        self.market.quote("101.00", "101.10", "101.05")
        self.wait_for(EXECUTED, TRADERS * ORDERS)
        assert self.system.sql("SELECT DISTINCT average_price::text FROM trading_order") == [("101.10",)]
        assert self.system.sql(FILLED) == self.system.sql(PLACED)
        heal_drain_check(self.system, self.market.workload)


@pytest.mark.parametrize("point", ["worker_dies_in_release", "worker_dies_after_release"])
def test_f43_killed_in_mid_release_each_order_is_released_once_and_in_turn(system: System, point: str) -> None:
    evening = Evening(system)
    armed = system.arm(point)
    with system.kept():
        evening.set_clock(OPENING)
        system.wait_for_hit(armed)
        evening.check()


def test_f43_without_redis_orders_are_released_by_the_ticks(system: System) -> None:
    evening = Evening(system)
    system.broker_proxy.refuse()
    evening.set_clock(OPENING)
    evening.check()
