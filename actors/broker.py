"""The Dramatiq broker, its options and its middleware; connects to nothing until configured and used."""

import contextvars
import signal
from collections.abc import Sequence
from types import FrameType
from typing import Any

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Middleware, Retries, ShutdownNotifications, TimeLimit

from actors.consumer import WaitingConsumer
from config import REDIS_NAMESPACE, Settings, require_redis_url
from runtime import redis_link
from runtime.redis_pool import make_pool

# Longer than a consumer's wait of a second, and than Redis is busy with a large script; with the second after which
# Dramatiq's worker tries again, short enough to be back within 5 s of a connection that fell silent.
WORKER_TIMEOUT_S = 3.0
RESTART_S = 1.0
# Above the longest transaction (a statement may take 5 s), below the 20 s that the Procfile gives to a shutdown,
# which in turn end before a host's 30 s. Prefetch stays Dramatiq's two messages a thread: what a worker holds beyond
# the ones in work waits with it, and comes back 10 s after its death.
TIME_LIMIT_MS = 15_000

_pipeline: contextvars.ContextVar[redis.client.Pipeline | None] = contextvars.ContextVar("pipeline", default=None)


class Broker(RedisBroker):
    """Dramatiq's Redis broker with consumers that wait instead of polling, and messages that leave together."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.scripts["dispatch"] = _Gathered(self.scripts["dispatch"])

    def enqueue_together(self, messages: Sequence[dramatiq.Message[Any]]) -> None:
        """Enqueue messages in one round trip; when it breaks off, some of them may have arrived."""
        with self.client.pipeline(transaction=False) as pipeline:
            gathering = _pipeline.set(pipeline)
            try:
                for message in messages:
                    self.enqueue(message)
            finally:
                _pipeline.reset(gathering)
            try:
                pipeline.execute()
            except redis.exceptions.NoScriptError:  # a new Redis knows none, whichever of them was asked for first
                for message in messages:
                    self.enqueue(message)

    @property
    def consumer_class(self) -> type[WaitingConsumer]:
        """The consumer to use."""
        return WaitingConsumer


class _Gathered:
    """Dramatiq's script, whose calls wait in the pipeline when there is one."""

    def __init__(self, script: redis.commands.core.Script) -> None:
        self._script = script

    def __call__(self, *, keys: Sequence[str], args: Sequence[Any]) -> object:
        pipeline = _pipeline.get()
        if pipeline is None:
            return self._script(keys=keys, args=args)
        return pipeline.evalsha(self._script.sha, len(keys), *keys, *args)


class RequestContext(Middleware):
    """Lets the id of the request that sent a message stand in the worker's log lines."""

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        """Bind the message's request id, when a request has sent it."""
        if request_id := message.options.get("request_id"):
            structlog.contextvars.bind_contextvars(request_id=request_id)

    def after_process_message(self, *_: Any, **__: Any) -> None:
        """Forget it."""
        structlog.contextvars.clear_contextvars()

    after_skip_message = after_process_message


class OneTermination(Middleware):
    """Lets a worker process hear SIGTERM once.

    A host signals every process of a dyno and Dramatiq's main process signals its children again;
    Dramatiq takes the second signal as an order to exit at once, and running jobs would be lost.
    """

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        """Wrap the handler that Dramatiq has installed."""
        handler = signal.getsignal(signal.SIGTERM)
        heard = False

        def hear_once(number: int, frame: FrameType | None) -> None:
            nonlocal heard
            if not heard and callable(handler):
                heard = True
                handler(number, frame)

        signal.signal(signal.SIGTERM, hear_once)


# Connects on first use, through the pool that configure() gives it, whose protocol decides how answers are read.
client = redis.Redis(protocol=2)
broker = Broker(
    client=client,
    namespace=REDIS_NAMESPACE,
    # Every fetch looks for dead workers, and a worker is dead after 10 s without one: a killed
    # worker's messages come back in 10 to 11 s, where the defaults took minutes.
    maintenance_chance=1_000_000,
    heartbeat_timeout=10_000,
    # For a week somebody can look at what failed for good and send it again from /ops.
    dead_message_ttl=7 * 24 * 60 * 60 * 1000,
    middleware=[
        TimeLimit(time_limit=TIME_LIMIT_MS),
        ShutdownNotifications(),
        # Sweeping is what makes execution certain: a message that raises is only tried again while that is
        # prompter. The default's 20 tries over a day would come long after the order is final.
        Retries(max_retries=3, min_backoff=500, max_backoff=5_000),
        RequestContext(),
        OneTermination(),
    ],
)
dramatiq.set_broker(broker)


def configure(settings: Settings, *, role: str) -> None:
    """Give the broker its Redis: in a web process bounded by a request's budget, in a worker by seconds."""
    broker.namespace = settings.redis_namespace
    if role == "web":
        redis_link.configure(settings.redis_url, settings.redis_namespace)
        client.connection_pool = redis_link.client.connection_pool
    else:
        url = require_redis_url(settings)
        redis_link.configure(url, settings.redis_namespace)
        client.connection_pool = make_pool(url, timeout_s=WORKER_TIMEOUT_S)
        # Dramatiq waits 3 s before it consumes again, and keeps a thread for 5 s before it acks again.
        vars(dramatiq.worker).update(
            CONSUMER_RESTART_DELAY_SECS=RESTART_S, POST_PROCESS_MESSAGE_RETRY_DELAY_SECS=RESTART_S
        )
