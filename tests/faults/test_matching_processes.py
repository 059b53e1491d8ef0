"""The stress of the matching over HTTP, with workers killed at random: each order's match is reckoned again."""

import pytest

from tests.faults.system import System
from tests.matching_stress.processes import ProcessRun
from tests.matching_stress.settings import Settings

pytestmark = pytest.mark.faults


@pytest.mark.long
@pytest.mark.timeout(600)
def test_f39_no_quote_passes_an_order_while_workers_are_killed_at_random(system: System) -> None:
    system.start(FILL_MODEL="QUOTES")
    system.start_worker()
    with system.kept():
        run = ProcessRun(system, Settings(seconds=90.0, seed=5, accounts=20, live_orders=300, placers=1, modifiers=1))
        report = run.run()
    print(report)
    assert report.problems == []
    assert report.counts["workers killed"] > 3
    assert report.judgement.matches > 50
