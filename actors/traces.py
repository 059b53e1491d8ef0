"""The traces of messages, each of which joins the trace of the request that sent it."""

import contextlib
import threading
from typing import Any

import dramatiq
from dramatiq.middleware import Middleware

from actors.broker import broker
from runtime import tracing


class Traces(Middleware):
    """A span around the work on each message that carries a traceparent."""

    def __init__(self) -> None:
        self._here = threading.local()

    def before_process_message(self, broker: dramatiq.Broker, message: dramatiq.MessageProxy) -> None:
        """Open the span."""
        self._here.stack = contextlib.ExitStack()
        if parent := message.options.get("traceparent"):
            attributes = {"messaging.system": "redis", "messaging.destination.name": message.queue_name}
            span = tracing.span(message.actor_name, "CONSUMER", parent=parent, attributes=attributes)
            self._here.stack.enter_context(span)

    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: dramatiq.MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        """Close the span."""
        self._here.stack.__exit__(type(exception) if exception else None, exception, None)

    after_skip_message = after_process_message

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Send the remaining spans."""
        tracing.flush()


def begin() -> None:
    """Trace the work on messages if this process traces."""
    if tracing.is_on():
        broker.add_middleware(Traces())
