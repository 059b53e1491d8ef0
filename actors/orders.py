"""The actor that executes an order promptly after its placement, or after its match."""

from uuid import UUID

import dramatiq
from dramatiq.middleware import CurrentMessage

from actors.broker import broker
from models.database import DatabaseUnavailable
from runtime.logs import get_logger
from trading.execution.coalescing import execute_promptly

logger = get_logger(__name__)


@dramatiq.actor(broker=broker, queue_name="orders", priority=10)
def execute_order(order_id: str) -> None:
    """Execute an order that is due, with all matched orders of its account; without a database sweeping does it."""
    try:
        execute_promptly(UUID(order_id), _account())
    except DatabaseUnavailable:
        logger.warning("execution_left_to_sweeping", order_id=order_id, exc_info=True)


def _account() -> UUID | None:
    """Return the account that the present message names; one of an earlier release names none."""
    message = CurrentMessage.get_current_message()
    named = message.options.get("account_id") if message else None
    return UUID(named) if named else None
