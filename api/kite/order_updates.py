"""Order updates of the ticker: the messages that tell Kite's clients of the changes of an account's orders."""

import functools
import time
from typing import Any

from api.http.responses import encode
from api.stream.listeners import text_frame
from models.database import DatabaseUnavailable
from models.rows import EventRow
from runtime.logs import get_logger
from schemas.kite.orders import kite_order
from trading.market.instruments import key_of, tokens_of

# Kite tells nothing of an order that was only placed: `order.pending` and `order.open` are left out.
TOLD = frozenset(
    (
        "order.triggered",
        "order.modified",
        "order.executed",
        "order.cancelled",
        "order.expired",
        "order.rejected",
    )
)
# Between the order's old terms and its status with the new ones.
MODIFIED = "UPDATE"
# The members of Kite's order book that its postbacks and its ticker leave out.
LEFT_OUT = frozenset(("account_id", "modified", "validity_ttl", "auction_number", "tags"))

# An import may give a stock its real token.
REMEMBERED_S = 60.0

logger = get_logger(__name__)


def update_frames(event: EventRow) -> bytes:
    """Return the frames that tell of an event; an event that Kite does not tell of is empty."""
    row = event["data"]
    # An order that was final before orders had numbers is none that a client of Kite could know.
    if event["type"] not in TOLD or row.get("order_number") is None:
        return b""
    order = order_update(kite_order(row, _token(key_of(row["exchange"], row["symbol"]))))
    statuses = (MODIFIED, order["status"]) if event["type"] == "order.modified" else (order["status"],)
    return b"".join(text_frame(encode({"type": "order", "data": order | {"status": status}})) for status in statuses)


def order_update(order: dict[str, Any]) -> dict[str, Any]:
    """Return the members of an order that Kite's postbacks have."""
    kept = {name: value for name, value in order.items() if name not in LEFT_OUT}
    # Nothing is signed here: the checksum is that of the secret of an app, and there are no apps.
    return kept | {
        "user_id": order["placed_by"],
        "app_id": 0,
        "checksum": "",
        "unfilled_quantity": order["quantity"] - order["filled_quantity"],
    }


def _token(key: str) -> int:
    """Return the instrument token of a stock; 0 if the database does not answer, so that the update still comes."""
    try:
        return _token_in(int(time.monotonic() / REMEMBERED_S), key)
    except DatabaseUnavailable as error:
        logger.warning("update_without_token", stock=key, error=str(error))
        return 0


@functools.lru_cache(maxsize=10_000)
def _token_in(_period: int, key: str) -> int:
    """Return the token of a stock, which is looked up once in each period: the hub's one thread asks for it."""
    return tokens_of([key]).get(key, 0)
