"""The requests of one account hold at most its share of the connections."""

import threading

import pytest

from models.database import DatabaseUnavailable, db
from tests.support.processes import wait_until
from tests.support.trading import at_once, buy
from trading.accounts import shares
from trading.accounts.shares import within_share
from trading.rules.errors import Refused


@pytest.fixture
def share(clean, monkeypatch):
    """Set a share of two connections and a wait of 0.2 s, and return requests to start."""
    monkeypatch.setattr(shares, "PARTS", db.pool.size // 2)
    monkeypatch.setattr(shares, "POOL_TIMEOUT_S", 0.2)
    return Requests()


class Requests:
    """Requests that run until `let_go` is set."""

    def __init__(self):
        self.running, self.let_go = [], threading.Event()
        self.run = within_share(self._run)

    def _run(self, account_id):
        self.running.append(account_id)
        self.let_go.wait(20)

    def start(self, account_id):
        thread = threading.Thread(target=self.run, args=(account_id,))
        thread.start()
        return thread


def test_the_requests_beyond_the_share_wait_and_are_refused_in_time(share, trader, account):
    started = [share.start(trader) for _ in range(2)]
    wait_until(lambda: len(share.running) == 2)
    with pytest.raises(DatabaseUnavailable):
        share.run(trader)
    assert len(share.running) == 2
    other = account().id
    started.append(share.start(other))
    wait_until(lambda: share.running == [trader, trader, other], what="another account is served")
    share.let_go.set()
    for thread in started:
        thread.join(20)
    share.run(trader)
    assert share.running.count(trader) == 3
    assert shares._shares == {}


def test_a_waiting_request_runs_when_another_ends(share, trader, monkeypatch):
    monkeypatch.setattr(shares, "POOL_TIMEOUT_S", 20)
    started = [share.start(trader) for _ in range(3)]
    wait_until(lambda: len(share.running) == 2 and shares._shares[trader].slots.waiting == 1)
    share.let_go.set()
    for thread in started:
        thread.join(20)
    assert share.running == [trader] * 3


def test_a_refused_request_frees_its_place(share, trader, monkeypatch):
    monkeypatch.setattr(shares, "POOL_TIMEOUT_S", 20)  # on a busy machine the orders take more than 0.2 s
    for _ in range(5):
        with pytest.raises(Refused):
            buy(trader, 1_000_000, "1000000.00")
    assert shares._shares == {}
    assert len(at_once([lambda: buy(trader, 1, "10.00")] * 6)) == 6
