"""The product's worker with Dramatiq's own consumer: what a dispatch is measured against."""

from dramatiq.brokers.redis import RedisBroker

from actors import broker, worker


def boot() -> None:
    """Set up a worker process whose consumers poll as Dramatiq's do."""
    broker.Broker.consumer_class = RedisBroker.consumer_class  # type: ignore[method-assign]
    worker.boot()


# Dramatiq looks for the broker and its actors in the module that it is given.
ACTORS = worker.ACTORS
