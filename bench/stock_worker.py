"""The worker with Dramatiq's own consumer, the reference for the time to execution."""

from dramatiq.brokers.redis import RedisBroker

from actors import broker, worker


def boot() -> None:
    """Set up a worker process with Dramatiq's polling consumers."""
    broker.Broker.consumer_class = RedisBroker.consumer_class  # type: ignore[method-assign]
    worker.boot()


# Dramatiq looks for the broker and its actors in the module named on its command line.
ACTORS = worker.ACTORS
