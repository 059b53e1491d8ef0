"""The log lines of an order's life: each names the order, so that one search for its id finds all of them."""

import functools
from collections.abc import Mapping
from typing import Any

from models.database import db
from models.rows import OrderRow

# The columns of an order in each of its lines; its own price is `limit_price`, since an execution has a price too.
TERMS = ("exchange", "symbol", "side", "quantity", "order_type", "product")


def log_order(logger: Any, event: str, order: OrderRow | Mapping[str, Any], **facts: Any) -> None:
    """Write a line about an order: its ids, its terms and other facts."""
    logger.info(event, order_id=str(order["id"]), account_id=str(order["account_id"]), **terms_of(order), **facts)


def log_order_at_commit(logger: Any, event: str, order: OrderRow | Mapping[str, Any], **facts: Any) -> None:
    """Write a line about an order after the commit of this transaction, and none if it is rolled back."""
    db.after_commit(functools.partial(log_order, logger, event, order, **facts))


def terms_of(order: Mapping[str, Any]) -> dict[str, Any]:
    """Return the terms of an order as facts of a log line; prices that it lacks are left out."""
    terms = {name: order.get(name) for name in TERMS}
    for name, fact in (("price", "limit_price"), ("trigger_price", "trigger_price")):
        if (price := order.get(name)) is not None:
            terms[fact] = str(price)
    return terms
