"""The options that Dramatiq adds to a message on its way to the dead letters."""

from typing import Any

import dramatiq
import redis
from dramatiq.middleware import Retries, TimeLimitExceeded

from actors import broker as service
from actors.broker import MAINTENANCE, Broker, CutShort
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


def test_periodic_work_that_a_time_limit_ends_outside_of_its_actor_is_no_dead_letter(clean: None, servers: Any) -> None:
    def end() -> None:
        raise TimeLimitExceeded

    client = redis.Redis(connection_pool=make_pool(servers.redis_url, timeout_s=5.0))
    broker = Broker(client=client, namespace="cut", middleware=[CutShort(), Retries(max_retries=0)])
    for queue, function in ((MAINTENANCE, end), (MAINTENANCE, fail), ("orders", end)):
        dramatiq.actor(function, actor_name=f"{queue}_{function.__name__}", queue_name=queue, broker=broker).send()
    worker = dramatiq.Worker(broker, worker_threads=1)
    worker.start()
    try:
        for queue in (MAINTENANCE, "orders"):
            broker.join(queue, timeout=10_000)
    finally:
        worker.stop()
    dead = [text for queue in (MAINTENANCE, "orders") for text in client.hvals(f"cut:{queue}.XQ.msgs")]
    assert {dramatiq.Message.decode(text).actor_name for text in dead} == {"maintenance_fail", "orders_end"}
    assert isinstance(service.broker.middleware[0], CutShort)  # the last one after a message
