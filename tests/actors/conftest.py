"""Brokers to run the same tests on: Dramatiq's stub, and ours on a real Valkey."""

from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker

from actors import broker as broker_module
from actors import maintenance, orders
from actors.broker import RequestContext, broker

ACTORS = (orders.execute_order, maintenance.sweep_orders, maintenance.delete_what_is_old)


@pytest.fixture
def stub_broker(clean: None) -> Iterator[StubBroker]:
    """Move the actors to a stub broker for one test."""
    stub = StubBroker(middleware=[RequestContext()])
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
def worker(
    any_broker: dramatiq.Broker, worker_role: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dramatiq.Worker]:
    """Run a worker in this process; its ticks are left out, so that only messages execute orders."""
    monkeypatch.setattr(maintenance.Ticker, "after_worker_boot", lambda *_: None)
    worker = dramatiq.Worker(any_broker, worker_timeout=100, worker_threads=2)
    worker.start()
    yield worker
    worker.stop()


@pytest.fixture
def order_of(account: Any) -> Any:
    """Return a function that places a LIMIT order without telling anybody."""
    from tests.actors.placing import place_quietly

    return lambda holder=None, **request: place_quietly(holder or account(), **request)
