"""The options that Dramatiq adds to a message on its way to the dead letters."""

from typing import Any

import dramatiq
import redis
from dramatiq.middleware import Retries

from actors.broker import Broker
from actors.dead_letters import SPENT_OPTIONS
from runtime.redis_pool import make_pool
from tests.support.processes import wait_until


def fail() -> None:
    raise ValueError("the last line")


def test_dramatiq_adds_no_option_that_a_new_try_would_inherit(clean: None, servers: Any) -> None:
    client = redis.Redis(connection_pool=make_pool(servers.redis_url, timeout_s=5.0))
    broker = Broker(client=client, namespace="letters", middleware=[Retries(max_retries=1, min_backoff=1)])
    actor = dramatiq.actor(fail, actor_name="fail", queue_name="failing", broker=broker)
    worker = dramatiq.Worker(broker, worker_threads=1)
    worker.start()
    try:
        actor.send()
        wait_until(lambda: client.hlen("letters:failing.XQ.msgs") == 1)
    finally:
        worker.stop()
    (text,) = client.hvals("letters:failing.XQ.msgs")
    options = dramatiq.Message.decode(text).options
    assert set(options) <= SPENT_OPTIONS
    assert options["traceback"].strip().endswith("ValueError: the last line")
