"""Make a dead letter as a worker does: fetch a message, fail, and tell the broker so."""

from typing import Any

from actors.broker import broker
from actors.orders import execute_order

TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\nValueError: the last line'


def bury(order_id: Any, **options: Any) -> str:
    """Send a message for an order, take it from its queue, let it fail for good, and return its id there."""
    broker.enqueue(execute_order.message_with_options(args=(str(order_id),), **options))
    return bury_next()


def bury_next() -> str:
    """Let the next message of the queue fail for good, and return its id there."""
    consumer = broker.consume("orders", prefetch=1, timeout=10)
    message = next(consumer)
    assert message is not None
    consumer.nack(message)
    return str(message.options["redis_message_id"])
