"""Send an accepted order to a worker, after its commit."""

from uuid import UUID

from actors.orders import execute_order
from trading import metrics, redis_link, tracing
from trading.logs import get_logger

logger = get_logger(__name__)


@tracing.traced("dispatch", "PRODUCER")
def dispatch(order_id: UUID, request_id: str | None) -> bool:
    """Send an order to be executed and tell whether that went well; never raises.

    A failure is no client's error: the PENDING row is the job, and sweeping finds it.
    """
    options = {"request_id": request_id, **tracing.carrier()}
    message = execute_order.message_with_options(args=(str(order_id),), **options)
    sent = redis_link.attempt(lambda: execute_order.broker.enqueue(message))
    metrics.of(metrics.DISPATCHES, "sent" if sent else "failed").inc()
    if not sent and redis_link.is_enabled():
        logger.warning("dispatch_left_to_sweeping", order_id=str(order_id))
    return sent
