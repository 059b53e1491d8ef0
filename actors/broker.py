"""The Dramatiq broker, its options and its middleware; it connects only after configure(), on first use."""

import contextvars
import signal
from collections.abc import Sequence
from types import FrameType
from typing import Any

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import CurrentMessage, Interrupt, Middleware, Retries, ShutdownNotifications, TimeLimit

from actors.consumer import WaitingConsumer
from config import REDIS_NAMESPACE, Settings, require_redis_url
from runtime import redis_link
from runtime.redis_pipeline import Pipeline
from runtime.redis_pool import make_pool
from runtime.sender import sender

# Longer than a consumer's wait of a second and the run of a large script in Redis. Together with the second after
# which Dramatiq's worker tries again, short enough to go on within 5 s after a connection has fallen silent.
WORKER_TIMEOUT_S = 3.0
RESTART_S = 1.0
# Above the longest transaction (a statement may take 5 s) and below the 20 s that the Procfile allows for a shutdown,
# which end before a host's 30 s. Prefetch stays Dramatiq's two messages a thread: a worker's messages beyond those in
# work wait with it, and return to the queue 10 s after its death.
TIME_LIMIT_MS = 15_000
# The queue of the periodic work.
MAINTENANCE = "maintenance"

_pipeline: contextvars.ContextVar[Pipeline | None] = contextvars.ContextVar("pipeline", default=None)


class Broker(RedisBroker):
    """Dramatiq's Redis broker, with consumers that wait instead of polling, and messages that join a pipeline."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._script = self.scripts["dispatch"]
        self.scripts["dispatch"] = _PipelinedScript(self._script)

    def enqueue_in(self, pipeline: Pipeline, message: dramatiq.Message[Any]) -> None:
        """Enqueue a message when the pipeline is executed."""
        reset = _pipeline.set(pipeline)
        try:
            self.enqueue(message)
        finally:
            _pipeline.reset(reset)

    def teach(self) -> None:
        """Load the script that pipelines call into a Redis that does not know it yet."""
        self.client.script_load(self._script.script)

    @property
    def consumer_class(self) -> type[WaitingConsumer]:
        """Return the class of the consumers."""
        return WaitingConsumer


class _PipelinedScript:
    """Dramatiq's script, whose calls join the current pipeline if there is one."""

    def __init__(self, script: redis.commands.core.Script) -> None:
        self._script = script

    def __call__(self, *, keys: Sequence[str], args: Sequence[Any]) -> object:
        pipeline = _pipeline.get()
        if pipeline is None:
            return self._script(keys=keys, args=args)
        pipeline.add("EVALSHA", self._script.sha, len(keys), *keys, *args)
        return None


class RequestContext(Middleware):
    """The id of the request that sent a message, in the worker's log lines."""

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        """Bind the message's request id if a request has sent it."""
        if request_id := message.options.get("request_id"):
            structlog.contextvars.bind_contextvars(request_id=request_id)

    def after_process_message(self, *_: Any, **__: Any) -> None:
        """Clear the request id."""
        structlog.contextvars.clear_contextvars()

    after_skip_message = after_process_message


class CutShort(Middleware):
    """Periodic work that leaves no dead letter when a time limit or a shutdown ends it: the next tick goes on.

    The actors say so themselves, but the exception may come just before or after them, in Dramatiq's own steps.
    """

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        *,
        exception: BaseException | None = None,
        **_: Any,
    ) -> None:
        """Acknowledge the message, which Retries has failed."""
        if message.queue_name == MAINTENANCE and isinstance(exception, Interrupt):
            message.failed = False


class OneTermination(Middleware):
    """A worker process that obeys only the first SIGTERM.

    A host signals every process of a dyno, and Dramatiq's main process signals its children again. Dramatiq
    exits at once on a second signal, and running messages would be lost.
    """

    def after_process_boot(self, broker: dramatiq.Broker) -> None:
        """Wrap Dramatiq's own handler of SIGTERM."""
        handler = signal.getsignal(signal.SIGTERM)
        heard = False

        def hear_once(number: int, frame: FrameType | None) -> None:
            nonlocal heard
            if not heard and callable(handler):
                heard = True
                handler(number, frame)

        signal.signal(signal.SIGTERM, hear_once)


class LastParcels(Middleware):
    """A worker process that sends its last messages before it ends: Python 3.11 calls no atexit function in a child."""

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Send the nudges of the last executions."""
        sender.send_all()


# Connects on first use, through the pool of configure(); the protocol decides how answers are read.
client = redis.Redis(protocol=2)
broker = Broker(
    client=client,
    namespace=REDIS_NAMESPACE,
    # Every fetch looks for dead workers, and a worker counts as dead 10 s after its last fetch: the messages of a
    # killed worker return in 10 to 11 s instead of the minutes of the defaults.
    maintenance_chance=1_000_000,
    heartbeat_timeout=10_000,
    # Dead letters are kept for a week, in which /ops shows them and can send them again.
    dead_message_ttl=7 * 24 * 60 * 60 * 1000,
    middleware=[
        CutShort(),  # the first of them comes last after a message
        TimeLimit(time_limit=TIME_LIMIT_MS),
        ShutdownNotifications(),
        # Sweeping makes execution certain, so a message that raises is tried again only while that is faster.
        # The default's 20 tries over a day would come long after the order is final.
        Retries(max_retries=3, min_backoff=500, max_backoff=5_000),
        RequestContext(),
        CurrentMessage(),
        OneTermination(),
        LastParcels(),
    ],
)
dramatiq.set_broker(broker)
sender.on_unknown_script = broker.teach


def configure(settings: Settings, *, role: str) -> None:
    """Give the broker its Redis, with time-outs of a request in a web process and of seconds in a worker."""
    broker.namespace = settings.redis_namespace
    if role == "web":
        redis_link.configure(settings.redis_url, settings.redis_namespace)
        client.connection_pool = redis_link.client.connection_pool
    else:
        url = require_redis_url(settings)
        redis_link.configure(url, settings.redis_namespace)
        client.connection_pool = make_pool(url, timeout_s=WORKER_TIMEOUT_S)
        # By default Dramatiq waits 3 s before it consumes again, and blocks a thread for 5 s before it acks again.
        vars(dramatiq.worker).update(
            CONSUMER_RESTART_DELAY_SECS=RESTART_S, POST_PROCESS_MESSAGE_RETRY_DELAY_SECS=RESTART_S
        )
