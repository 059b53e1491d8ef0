"""Dead letters made as a worker makes them: fetch a message, fail, and reject it."""

from typing import Any

from actors.broker import broker
from actors.orders import execute_order
from runtime.sender import sender
from tests.support.processes import wait_until

TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\nValueError: the last line'


def bury(order_id: Any, **options: Any) -> str:
    """Send a message for an order, reject it for good, and return its id in Redis."""
    broker.enqueue(execute_order.message_with_options(args=(str(order_id),), **options))
    return bury_next()


def bury_next() -> str:
    """Reject the next message of the queue for good, and return its id in Redis."""
    sender.send_all()
    consumer = broker.consume("orders", prefetch=1, timeout=10)
    # A web process sends its messages a moment after its answers.
    message = wait_until(lambda: next(consumer), what="a message")
    consumer.nack(message)
    return str(message.options["redis_message_id"])
