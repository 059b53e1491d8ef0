"""F42: a process that dies while it settles deliveries."""

import pytest

from tests.faults.checks import heal_drain_check
from tests.faults.machine import SHARDS
from tests.faults.markets import Market
from tests.faults.system import System
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults

DAY_PASSES = """
UPDATE position SET bucket_day = bucket_day - 1, figures_day = figures_day - 1;
UPDATE job_run SET finished_at = NULL WHERE name = 'settlement';
"""
SETTLED = "SELECT count(*) FROM job_run WHERE name = 'settlement' AND finished_at IS NOT NULL"
BUCKETS = "SELECT today_quantity, t1_quantity, settled_quantity FROM position WHERE product = 'DELIVERY'"
# Another process takes over when the dead one's claim has ended.
TAKEN_OVER_S = 40.0


def test_f42_killed_in_mid_settlement_every_share_is_in_one_bucket(system: System) -> None:
    system.start()
    market = Market(system)
    for symbol in ("AAA", "BBB", "CCC"):
        market.wait_for(market.place(symbol=symbol, product="DELIVERY"), "EXECUTED")
    wait_until(lambda: system.sql(SETTLED) == [(SHARDS,)])
    armed = system.arm("worker_dies_in_settlement")
    with system.kept():
        system.change(market.trader.account_id, DAY_PASSES)
        system.wait_for_hit(armed)
        assert system.sql(BUCKETS) == [(10, 0, 0)] * 3
        wait_until(lambda: system.sql(BUCKETS) == [(0, 10, 0)] * 3, timeout_s=TAKEN_OVER_S, what="all are in t1")
    heal_drain_check(system, market.workload)
