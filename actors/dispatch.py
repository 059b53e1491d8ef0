"""Send an accepted order to a worker, after its commit."""

from uuid import UUID

from actors.orders import execute_order
from trading import redis_link
from trading.logs import get_logger

logger = get_logger(__name__)


def dispatch(order_id: UUID, request_id: str | None) -> bool:
    """Send an order to be executed and tell whether that went well; never raises.

    A failure is no client's error: the PENDING row is the job, and sweeping finds it.
    """
    message = execute_order.message_with_options(args=(str(order_id),), request_id=request_id)
    sent = redis_link.attempt(lambda: execute_order.broker.enqueue(message))
    if not sent and redis_link.is_enabled():
        logger.warning("dispatch_left_to_sweeping", order_id=str(order_id))
    return sent
