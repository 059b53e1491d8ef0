"""The dispatch of accepted and of matched orders to a worker, after their commit."""

import functools
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from actors.broker import broker
from actors.orders import execute_order
from runtime import metrics, redis_link, tracing
from runtime.logs import get_logger
from runtime.redis_pipeline import Pipeline
from runtime.sender import Parcel, sender

logger = get_logger(__name__)


@tracing.traced("dispatch", "PRODUCER")
def dispatch(accounts: Mapping[UUID, UUID], request_id: str | None) -> None:
    """Hand orders, each with its account, to the thread that sends messages; never wait for Redis, and never raise.

    The account is an option of the message, because a worker of the previous release takes one argument. A failure is
    not reported to the client: the due row is the job, and sweeping finds it.
    """
    options: dict[str, Any] = {"request_id": request_id, **tracing.carrier()}
    sender.add({order: _parcel(order, options | {"account_id": str(account)}) for order, account in accounts.items()})


def _parcel(order_id: UUID, options: dict[str, Any]) -> Parcel:
    return Parcel(functools.partial(_enqueue, order_id, options), functools.partial(_note_end, order_id, options))


def _enqueue(order_id: UUID, options: dict[str, Any], pipeline: Pipeline) -> None:
    message = execute_order.message_with_options(args=(str(order_id),), **options)
    broker.enqueue_in(pipeline, message)


def _note_end(order_id: UUID, options: dict[str, Any], is_sent: bool) -> None:
    metrics.of(metrics.DISPATCHES, "sent" if is_sent else "failed").inc()
    if not is_sent and redis_link.is_enabled():
        logger.warning("dispatch_left_to_sweeping", order_id=str(order_id), request_id=options["request_id"])
