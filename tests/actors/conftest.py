"""Two brokers for the same tests: Dramatiq's stub, and the product's broker on a real Valkey."""

from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import CurrentMessage

from actors import broker as broker_module
from actors import maintenance, orders, ticker
from actors.background import background
from actors.broker import RequestContext, broker

ACTORS = (
    orders.execute_order,
    maintenance.sweep_orders,
    maintenance.expire_orders,
    maintenance.release_orders,
    maintenance.do_daily_work,
    maintenance.sweep_levels,
    maintenance.record_prices,
    maintenance.delete_what_is_old,
    maintenance.check_ledger,
)


class Stub(StubBroker):
    """Dramatiq's stub with the method that dispatch needs."""

    def enqueue_in(self, _pipeline: object, message: dramatiq.Message[Any]) -> None:
        self.enqueue(message)


@pytest.fixture
def stub_broker(clean: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[StubBroker]:
    """Move the actors to a stub broker for one test."""
    stub = Stub(middleware=[RequestContext(), CurrentMessage(), background])
    monkeypatch.setattr("actors.dispatch.broker", stub)
    for actor in ACTORS:
        actor.broker = stub
        stub.declare_actor(actor)
    yield stub
    for actor in ACTORS:
        actor.broker = broker
    stub.close()


@pytest.fixture(params=["stub", "valkey"])
def any_broker(request: pytest.FixtureRequest, configured: None, clean: None) -> dramatiq.Broker:
    """Return each broker in turn."""
    return request.getfixturevalue("stub_broker") if request.param == "stub" else broker


@pytest.fixture
def worker_role(configured: None, settings: Any) -> Iterator[None]:
    """Give this process the broker's connections of a worker."""
    broker_module.configure(settings, role="worker")
    yield
    broker_module.configure(settings, role="web")


@pytest.fixture
def no_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn off the ticks of a worker in this process, so that it acts on messages only."""
    monkeypatch.setattr(ticker.Ticker, "after_worker_boot", lambda *_: None)


@pytest.fixture
def worker(any_broker: dramatiq.Broker, worker_role: None, no_ticks: None) -> Iterator[dramatiq.Worker]:
    """Run a worker in this process, on each broker in turn."""
    yield from run_worker(any_broker)


@pytest.fixture
def worker_on_valkey(clean: None, worker_role: None, no_ticks: None) -> Iterator[dramatiq.Worker]:
    """Run a worker in this process on the real broker."""
    yield from run_worker(broker)


def run_worker(any_broker: dramatiq.Broker) -> Iterator[dramatiq.Worker]:
    """Run a worker until the test is over."""
    worker = dramatiq.Worker(any_broker, worker_timeout=100, worker_threads=2)
    worker.start()
    yield worker
    worker.stop()
    background.after_worker_boot(any_broker, worker)  # the stopped worker forbade background work in this process


@pytest.fixture
def order_of(account: Any) -> Any:
    """Return a function that places a LIMIT order and sends no message."""
    from tests.actors.placing import place_quietly

    return lambda holder=None, **request: place_quietly(holder or account(), **request)
