"""F29: pub/sub is cut for long, with its socket open, while everything else goes on."""

import time
from typing import Any

import pytest

from tests.faults.checks import heal_drain_check
from tests.faults.followers import Follower
from tests.faults.system import System
from tests.faults.workload import Workload
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults

CUT_S = 30.0
NUDGE = rb"pmessage"


def have_heard_all(system: System, followers: list[Follower]) -> bool:
    """Return True if each listener is at its account's last event."""
    last = dict(system.sql("SELECT id::text, last_event_id FROM account"))
    return all(follower.last == last[follower.account_id] for follower in followers)


@pytest.mark.long
def test_f29_with_pub_sub_cut_for_30_seconds_every_event_arrives_once_and_in_order(system: System, begin: Any) -> None:
    workload: Workload = begin(clients=4)
    followers = [Follower(system, *pair) for pair in workload.accounts.items()]
    # On a new connection too the first nudge disappears, and all that follows it.
    cut = system.broker_proxy.add_rule("to_client", NUDGE, "swallow", times=1_000)
    with workload.running(pause_s=0.05):
        wait_until(lambda: cut.fired, timeout_s=20, what="a nudge is lost")
        wait_until(lambda: all(follower.last for follower in followers), timeout_s=20, what="events are heard")
        before = [follower.last for follower in followers]
        time.sleep(CUT_S)
    wait_until(lambda: have_heard_all(system, followers), timeout_s=20, what="the gap is filled while it is cut")
    assert all(follower.last > last + 100 for follower, last in zip(followers, before, strict=True))
    assert [follower.problems for follower in followers] == [[] for _ in followers]
    assert [follower.breaks for follower in followers] == [0 for _ in followers]
    system.heal()
    workload.clients[0].place(side="BUY", quantity=1)
    heal_drain_check(system, workload)
    wait_until(lambda: have_heard_all(system, followers), timeout_s=20, what="they hear on when it is over")
    for follower in followers:
        follower.stop()
    assert [follower.problems for follower in followers] == [[] for _ in followers]
