"""The dispatch of accepted and of matched orders to a worker, after their commit."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from actors.broker import broker
from actors.orders import execute_order
from runtime import metrics, redis_link, tracing
from runtime.logs import get_logger

logger = get_logger(__name__)


@tracing.traced("dispatch", "PRODUCER")
def dispatch(order_ids: Sequence[UUID], request_id: str | None) -> bool:
    """Send orders to be executed in one round trip, and return True if they were sent; never raise.

    A failure is not reported to the client: the due row is the job, and sweeping finds it.
    """
    options: dict[str, Any] = {"request_id": request_id, **tracing.carrier()}
    messages = [execute_order.message_with_options(args=(str(order_id),), **options) for order_id in order_ids]
    sent = redis_link.attempt(lambda: broker.enqueue_together(messages))
    metrics.of(metrics.DISPATCHES, "sent" if sent else "failed").inc(len(messages))
    if not sent and redis_link.is_enabled():
        logger.warning("dispatch_left_to_sweeping", order_ids=[str(order_id) for order_id in order_ids])
    return sent
